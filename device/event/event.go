package event

import (
	"log/slog"
	"time"
)

// Kind names what happened, "subject.verb".
type Kind string

// The kinds of the door station. The comment names the fields set beside At and Kind.
const (
	StationStarted  Kind = "station.started"  // Reason: the version
	StationReady    Kind = "station.ready"    //
	StationStopping Kind = "station.stopping" // Reason

	StationDegraded Kind = "station.degraded" // Reason: what stands in for the file, without what, and why; told each hour

	BellPressed Kind = "bell.pressed" // Bell
	BellIgnored Kind = "bell.ignored" // Bell, Reason
	BellStuck   Kind = "bell.stuck"   // Bell
	BellUnheard Kind = "bell.unheard" // Bell; Reason: who was called, and why each did not come

	CallStarted  Kind = "call.started"  // Call, Target, Account; Bell when the bell placed it
	CallRinging  Kind = "call.ringing"  // Call, Target
	CallAnswered Kind = "call.answered" // Call, Target
	CallRefused  Kind = "call.refused"  // Call, Target or Who, Status, Reason
	CallEnded    Kind = "call.ended"    // Call, Reason, DurationMS; of a talk also Sound, RTP

	CodeAccepted  Kind = "code.accepted"   // Call, Who
	CodeWrong     Kind = "code.wrong"      // Call
	CodeLockedOut Kind = "code.locked_out" // Call, Reason, DurationMS: the length of the lock-out

	DoorOpening Kind = "door.opening" // Door, Who, How, Call
	DoorOpened  Kind = "door.opened"  // Door, Who, How, Call: the relay is energised
	DoorClosed  Kind = "door.closed"  // Door, Who, How, Call, Reason, OnMS
	DoorFailed  Kind = "door.failed"  // Door, Who, How, Call, Reason

	DoorUnsafe Kind = "door.unsafe" // Door, Reason: its relay's pin moves at boot, and the remedy

	DoorForced   Kind = "door.forced"    // Door, Input: it opened, and the station had not let anybody in
	DoorHeldOpen Kind = "door.held_open" // Door, Input, DurationMS: it has stood open for so long; told once

	TamperAlarm Kind = "tamper.alarm" // Input, Reason, DurationMS: only REX opens for so long from now
	TamperOver  Kind = "tamper.over"  // they do again

	RegistrationUp     Kind = "registration.up"     // Account
	RegistrationDown   Kind = "registration.down"   // Account: the station has left its server
	RegistrationFailed Kind = "registration.failed" // Account, Status, Reason

	CardOpened    Kind = "card.opened"    // Mic
	CardClosed    Kind = "card.closed"    //
	CardLost      Kind = "card.lost"      // Reason
	CardRecovered Kind = "card.recovered" //

	ConfigReloaded Kind = "config.reloaded" //
	ConfigRejected Kind = "config.rejected" // Reason
	ConfigUnsafe   Kind = "config.unsafe"   // Reason: what of the file the station does without, and the remedy

	LineLost Kind = "line.lost" // Bell, Door, Input or Lamp; Reason: what fails without it, who has its line, and the remedy
	LineBack Kind = "line.back" // Bell, Door, Input or Lamp: its line, which was told lost, is held: it works from now on

	InputChanged Kind = "input.changed" // Input, Door, Active; at the start told only of inputs that are active

	EventsLost Kind = "events.lost" // Lost: a subscriber was too slow for this many events
)

// How says how a door came to be opened.
type How string

// The ways to open a door.
const (
	ByCode How = "code" // digits in a call
	ByREX  How = "rex"  // the request-to-exit button inside
	ByAPI  How = "api"  // an authenticated program

	BySelfTest How = "selftest" // an installer at the wiring test (Who is the user)
)

// ClockUnknown is the Clock of an event whose At is not to be trusted.
const ClockUnknown = "unknown"

// Event is one thing that happened. Empty fields are left out of JSON and logs.
type Event struct {
	At    time.Time `json:"at"` // wall clock
	Clock string    `json:"clock,omitempty"`
	Kind  Kind      `json:"kind"`

	Call    string `json:"call,omitempty"` // Call-ID, the same on each event of one call
	Bell    string `json:"bell,omitempty"`
	Door    string `json:"door,omitempty"`
	Input   string `json:"input,omitempty"`
	Lamp    string `json:"lamp,omitempty"`
	Target  string `json:"target,omitempty"` // as in the config, or the peer's URI
	Account string `json:"account,omitempty"`
	Who     string `json:"who,omitempty"` // whose code, or the caller's URI
	How     How    `json:"how,omitempty"` // ByCode, ByREX (Who is the input), ByAPI, BySelfTest
	Reason  string `json:"reason,omitempty"`

	Status     int    `json:"status,omitempty"`      // SIP status code
	DurationMS int64  `json:"duration_ms,omitempty"` // ms
	OnMS       int64  `json:"on_ms,omitempty"`       // ms the relay was energised
	Mic        bool   `json:"mic,omitempty"`         // the microphone is open
	Active     bool   `json:"active,omitempty"`      // the input's new state; left out: inactive
	Lost       uint64 `json:"lost,omitempty"`        // events
	Sound      string `json:"sound,omitempty"`       // that went, seen from here: "both", "in", "out", "none"
	RTP        *RTP   `json:"rtp,omitempty"`
}

// RTP is what a call's media stream came to.
type RTP struct {
	Codec     string  `json:"codec,omitempty"`
	Sent      uint64  `json:"sent"`      // packets
	Received  uint64  `json:"received"`  // packets
	Lost      uint64  `json:"lost"`      // packets that never came
	Late      uint64  `json:"late"`      // packets that came after their time
	Concealed uint64  `json:"concealed"` // ms of invented sound
	JitterMS  float64 `json:"jitter_ms"` // RFC 3550 §6.4.1, ms
	DelayMS   float64 `json:"delay_ms"`  // mean playout delay, ms

	RTTMS      float64 `json:"rtt_ms"`      // round trip by RTCP, ms; 0: the far end sends none
	RemoteLost float64 `json:"remote_lost"` // share of our packets that the far end missed lately, 0 to 1
}

// The Reasons of a [CallRefused] that are no failure.
const (
	AnsweredElsewhere = "answered elsewhere"
	NotAnswered       = "not answered" // and the next one's turn
)

// Level is the slog level an event is reported at.
func (e Event) Level() slog.Level {
	switch e.Kind {
	case CallRefused: // to a caller it is an answer
		if e.Target != "" && e.Reason != AnsweredElsewhere && e.Reason != NotAnswered {
			return slog.LevelWarn
		}
	case StationDegraded, DoorFailed, DoorUnsafe, LineLost, CardLost, ConfigRejected, ConfigUnsafe:
		return slog.LevelError
	case BellStuck, BellUnheard, CodeWrong, CodeLockedOut, DoorForced, DoorHeldOpen, TamperAlarm, RegistrationFailed, EventsLost:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// LogAttrs gives the event as attributes for a slog record with the message "event". At is left to the
// record's own time.
func (e Event) LogAttrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("kind", string(e.Kind)))
	str := func(key, v string) {
		if v != "" {
			attrs = append(attrs, slog.String(key, v))
		}
	}
	num := func(key string, v int64) {
		if v != 0 {
			attrs = append(attrs, slog.Int64(key, v))
		}
	}
	str("clock", e.Clock)
	str("call", e.Call)
	str("bell", e.Bell)
	str("door", e.Door)
	str("input", e.Input)
	str("lamp", e.Lamp)
	str("target", e.Target)
	str("account", e.Account)
	str("who", e.Who)
	str("how", string(e.How))
	str("reason", e.Reason)
	str("sound", e.Sound)
	num("status", int64(e.Status))
	num("duration_ms", e.DurationMS)
	num("on_ms", e.OnMS)
	if e.Mic {
		attrs = append(attrs, slog.Bool("mic", true))
	}
	if e.Active {
		attrs = append(attrs, slog.Bool("active", true))
	}
	if e.Lost != 0 {
		attrs = append(attrs, slog.Uint64("lost", e.Lost))
	}
	if r := e.RTP; r != nil {
		attrs = append(attrs, slog.Group("rtp",
			slog.String("codec", r.Codec), slog.Uint64("sent", r.Sent), slog.Uint64("received", r.Received),
			slog.Uint64("lost", r.Lost), slog.Uint64("late", r.Late), slog.Uint64("concealed", r.Concealed),
			slog.Float64("jitter_ms", r.JitterMS), slog.Float64("delay_ms", r.DelayMS),
			slog.Float64("rtt_ms", r.RTTMS), slog.Float64("remote_lost", r.RemoteLost)))
	}
	return attrs
}
