// The pion peer: commands as JSON lines on standard input, answers and events on output, as program.py
// describes them. It has no codecs and echoes received media packet by packet.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc"
)

const lineLimit = 64 << 20

type object = map[string]interface{}

var output sync.Mutex

func write(message object) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

type peer struct {
	mutex    sync.Mutex
	pc       *webrtc.PeerConnection
	channels []*webrtc.DataChannel
	restart  bool
	echoes   []*echo
}

type parameters struct {
	AnsweringRole string                    `json:"answeringRole"`
	Answer        webrtc.SessionDescription `json:"answer"`
	Candidate     *webrtc.ICECandidateInit  `json:"candidate"`
	Channel       int                       `json:"channel"`
	Codec         string                    `json:"codec"`
	Count         int                       `json:"count"`
	Kind          string                    `json:"kind"`
	Kinds         []string                  `json:"kinds"`
	Label         string                    `json:"label"`
	Message       message                   `json:"message"`
	Offer         webrtc.SessionDescription `json:"offer"`
	Options       channelOptions            `json:"options"`
	Trickle       bool                      `json:"trickle"`
}

type message struct {
	Text   *string `json:"text"`
	Base64 string  `json:"base64"`
}

type channelOptions struct {
	Ordered           *bool   `json:"ordered"`
	MaxPacketLifeTime *uint16 `json:"maxPacketLifeTime"`
	MaxRetransmits    *uint16 `json:"maxRetransmits"`
	Protocol          *string `json:"protocol"`
	Negotiated        *bool   `json:"negotiated"`
	ID                *uint16 `json:"id"`
}

func (p *peer) execute(method string, with parameters) (interface{}, error) {
	switch method {
	case "create":
		return nil, p.create(with.AnsweringRole)
	case "createDataChannel":
		options := webrtc.DataChannelInit(with.Options)
		channel, err := p.pc.CreateDataChannel(with.Label, &options)
		if err != nil {
			return nil, err
		}
		return p.adopt(channel, false), nil
	case "createOffer":
		offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: p.takeRestart()})
		if err != nil {
			return nil, err
		}
		return p.setLocalDescription(offer, with.Trickle)
	case "createAnswer":
		if err := p.pc.SetRemoteDescription(with.Offer); err != nil {
			return nil, err
		}
		answer, err := p.pc.CreateAnswer(nil)
		if err != nil {
			return nil, err
		}
		return p.setLocalDescription(answer, with.Trickle)
	case "setAnswer":
		return nil, p.pc.SetRemoteDescription(with.Answer)
	case "addIceCandidate":
		if with.Candidate == nil {
			with.Candidate = &webrtc.ICECandidateInit{}
		}
		return nil, p.pc.AddICECandidate(*with.Candidate)
	case "restartIce":
		p.restart = true
		return nil, nil
	case "addTransceivers":
		return nil, p.addTransceivers(with.Kinds)
	case "maxMessageSize":
		return p.pc.SCTP().GetCapabilities().MaxMessageSize, nil
	case "send":
		return nil, p.send(p.channel(with.Channel), with.Message)
	case "sendNumbers":
		channel := p.channel(with.Channel)
		for number := 0; number < with.Count; number++ {
			if err := channel.SendText(strconv.Itoa(number)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "closeChannel":
		return nil, p.channel(with.Channel).Close()
	case "addEcho":
		return nil, p.addEcho(with.Kind, with.Codec)
	case "received":
		return p.received(with.Kind), nil
	case "close":
		return nil, p.pc.Close()
	}
	return nil, fmt.Errorf("unknown method %q", method)
}

func (p *peer) create(answeringRole string) error {
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	// The default logger writes errors to standard output, between our answers.
	logs := logging.NewDefaultLoggerFactory()
	logs.Writer = os.Stderr
	settings.LoggerFactory = logs
	if answeringRole == "server" {
		if err := settings.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
			return err
		}
	}
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return err
	}
	interceptors := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(media, interceptors); err != nil {
		return err
	}
	api := webrtc.NewAPI(
		webrtc.WithSettingEngine(settings),
		webrtc.WithMediaEngine(media),
		webrtc.WithInterceptorRegistry(interceptors),
	)
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	p.pc = pc
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		write(object{"event": "connectionstate", "state": state.String()})
	})
	pc.OnDataChannel(func(channel *webrtc.DataChannel) { p.adopt(channel, true) })
	pc.OnTrack(p.receive)
	return nil
}

func (p *peer) takeRestart() bool {
	restart := p.restart
	p.restart = false
	return restart
}

func (p *peer) setLocalDescription(description webrtc.SessionDescription, trickle bool) (object, error) {
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if trickle {
		p.pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
			if candidate == nil {
				write(object{"event": "icecandidate", "candidate": nil})
			} else {
				write(object{"event": "icecandidate", "candidate": candidate.ToJSON()})
			}
		})
	}
	if err := p.pc.SetLocalDescription(description); err != nil {
		return nil, err
	}
	if !trickle {
		<-gathered
	}
	local := p.pc.LocalDescription()
	return object{"type": local.Type.String(), "sdp": local.SDP}, nil
}

func (p *peer) addTransceivers(kinds []string) error {
	for _, kind := range kinds {
		if _, err := p.pc.AddTransceiverFromKind(webrtc.NewRTPCodecType(kind)); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) adopt(channel *webrtc.DataChannel, announced bool) int {
	p.mutex.Lock()
	number := len(p.channels)
	p.channels = append(p.channels, channel)
	p.mutex.Unlock()
	if announced {
		write(object{"event": "datachannel", "channel": number, "members": describe(channel)})
	}
	channel.OnMessage(func(received webrtc.DataChannelMessage) {
		if received.IsString {
			write(object{"event": "message", "channel": number, "text": string(received.Data)})
		} else {
			encoded := base64.StdEncoding.EncodeToString(received.Data)
			write(object{"event": "message", "channel": number, "base64": encoded})
		}
	})
	channel.OnClose(func() { write(object{"event": "close", "channel": number}) })
	channel.OnOpen(func() { write(object{"event": "open", "channel": number, "members": describe(channel)}) })
	return number
}

func (p *peer) channel(number int) *webrtc.DataChannel {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.channels[number]
}

func describe(channel *webrtc.DataChannel) object {
	return object{
		"label":             channel.Label(),
		"protocol":          channel.Protocol(),
		"ordered":           channel.Ordered(),
		"maxPacketLifeTime": channel.MaxPacketLifeTime(),
		"maxRetransmits":    channel.MaxRetransmits(),
		"negotiated":        channel.Negotiated(),
		"id":                channel.ID(),
	}
}

func (p *peer) send(channel *webrtc.DataChannel, encoded message) error {
	if encoded.Text != nil {
		return channel.SendText(*encoded.Text)
	}
	data, err := base64.StdEncoding.DecodeString(encoded.Base64)
	if err != nil {
		return err
	}
	return channel.Send(data)
}

// An echo returns the packets of the track of its kind, and counts them.
type echo struct {
	kind    webrtc.RTPCodecType
	track   *webrtc.TrackLocalStaticRTP
	mutex   sync.Mutex
	codec   string
	packets int
	frames  int
	first   []byte
}

func (p *peer) addEcho(kind string, codec string) error {
	mime := kind + "/" + codec
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "echo")
	if err != nil {
		return err
	}
	sender, err := p.pc.AddTrack(track)
	if err != nil {
		return err
	}
	// Interceptors handle RTCP while it is read. Keyframe requests are not forwarded.
	go func() {
		buffer := make([]byte, 1500)
		for {
			if _, _, err := sender.Read(buffer); err != nil {
				return
			}
		}
	}()
	p.echoes = append(p.echoes, &echo{kind: webrtc.NewRTPCodecType(kind), track: track})
	return nil
}

func (p *peer) echoOf(kind webrtc.RTPCodecType) *echo {
	for _, each := range p.echoes {
		if each.kind == kind {
			return each
		}
	}
	return nil
}

func (p *peer) receive(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	back := p.echoOf(remote.Kind())
	if back == nil {
		return
	}
	for {
		packet, _, err := remote.ReadRTP()
		if err != nil {
			return
		}
		back.mutex.Lock()
		if back.packets == 0 {
			back.codec = remote.Codec().MimeType
			back.first = append([]byte{}, packet.Payload...)
		}
		back.packets++
		if packet.Marker {
			back.frames++
		}
		back.mutex.Unlock()
		if err := back.track.WriteRTP(packet); err != nil {
			return
		}
	}
}

func (p *peer) received(kind string) object {
	back := p.echoOf(webrtc.NewRTPCodecType(kind))
	back.mutex.Lock()
	defer back.mutex.Unlock()
	return object{
		"codec":   strings.TrimPrefix(strings.ToLower(back.codec), kind+"/"),
		"packets": back.packets,
		"frames":  back.frames,
		"first":   base64.StdEncoding.EncodeToString(back.first),
	}
}

func main() {
	made := &peer{}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), lineLimit)
	for lines.Scan() {
		var command struct {
			ID     int        `json:"id"`
			Method string     `json:"method"`
			Params parameters `json:"params"`
		}
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			panic(err)
		}
		// Commands run concurrently, since one may wait for the result of another.
		go func() {
			result, err := made.execute(command.Method, command.Params)
			if err != nil {
				write(object{"id": command.ID, "error": err.Error()})
			} else {
				write(object{"id": command.ID, "result": result})
			}
		}()
	}
}
