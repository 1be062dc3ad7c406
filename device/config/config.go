package config

import (
	"log/slog"
	"slices"
	"time"
)

// Version is the version of the schema that Config holds.
const Version = 1

// Config is portero.toml. sample.toml explains each key.
type Config struct {
	Version  int       `toml:"version"`
	Station  Station   `toml:"station"`
	SIP      SIP       `toml:"sip"`
	Accounts []Account `toml:"account"`
	Server   Server    `toml:"server"`
	Bells    []Bell    `toml:"bell"`
	Doors    []Door    `toml:"door"`
	Inputs   []Input   `toml:"input"`
	Lamps    []Lamp    `toml:"lamp"`
	Codes    []Code    `toml:"code"`
	Access   Access    `toml:"access"`
	Incoming Incoming  `toml:"incoming"`
	Audio    Audio     `toml:"audio"`
	Board    Board     `toml:"board"`
	Log      Log       `toml:"log"`

	source   *[]byte // the file as read; a pointer, so that %v does not print it
	copied   copied  // of a last good copy
	anybodys bool    // everybody could write the file
	warnings Faults
}

// Station is the station as a whole.
type Station struct {
	Name    string `toml:"name"`
	DataDir string `toml:"data_dir"` // absolute
}

// SIP is the station as a phone.
type SIP struct {
	Listen        string `toml:"listen"`         // host:port over UDP; port 0: any
	PublicAddress string `toml:"public_address"` // IP or host name, "": found out
	RTPPorts      string `toml:"rtp_ports"`      // "first-last"; see Ports
	// how long nothing at all may come in a talk before the far end is asked whether it is there
	SilenceLimit time.Duration `toml:"silence_limit"`
	// calls that are redirected go to wherever the phone says, not only to targets of the file
	FollowRedirects bool `toml:"follow_redirects"`
	// addresses and networks that may speak for any far end; see Admits
	AnswersFrom []string `toml:"answers_from"`
}

// Account is a registration at a SIP server.
type Account struct {
	Name          string        `toml:"name"`
	Server        string        `toml:"server"` // host[:port]
	User          string        `toml:"user"`
	AuthUser      string        `toml:"auth_user"` // "": User
	Password      Secret        `toml:"password"`  // after Load also the content of PasswordFile
	PasswordFile  string        `toml:"password_file"`
	Realm         OneOrMore     `toml:"realm"`          // none: those that the server asks with
	Domain        string        `toml:"domain"`         // "": Server's host
	OutboundProxy string        `toml:"outbound_proxy"` // host[:port]
	Expires       time.Duration `toml:"expires"`
	Register      bool          `toml:"register"`
}

// Server is the built-in registrar and proxy.
type Server struct {
	Enabled string       `toml:"enabled"` // "auto", "on", "off"; see Config.ServerOn
	Listen  string       `toml:"listen"`  // host:port over UDP
	Domain  string       `toml:"domain"`  // besides any name and address of this machine and portero.local
	Users   []ServerUser `toml:"user"`
}

// ServerUser is a phone at the built-in server.
type ServerUser struct {
	Name     string `toml:"name"`
	Password Secret `toml:"password"` // "": it can be guessed, and nobody can log in
}

// Bell is a button and whom it calls.
type Bell struct {
	Name        string        `toml:"name"`
	Line        string        `toml:"line"`
	ActiveLow   bool          `toml:"active_low"`
	Bias        string        `toml:"bias"` // "pull-up", "pull-down", "none"
	Debounce    time.Duration `toml:"debounce"`
	Hold        time.Duration `toml:"hold"`         // how long a press must last; 0: the first edge rings
	AC          bool          `toml:"ac"`           // gaps of up to 25 ms do not interrupt a press
	StuckAfter  time.Duration `toml:"stuck_after"`  // 0: never
	DisplayName string        `toml:"display_name"` // "": Name
	Account     string        `toml:"account"`      // "": the first
	Targets     []string      `toml:"targets"`      // see Config.Target
	Strategy    string        `toml:"strategy"`     // "parallel", "serial"
	HuntAfter   time.Duration `toml:"hunt_after"`   // serial: ring time of each target
	RingLimit   time.Duration `toml:"ring_limit"`
	TalkLimit   time.Duration `toml:"talk_limit"`
	Chime       string        `toml:"chime"`     // "ding-dong", "none" or the path of a WAV file
	WhenBusy    string        `toml:"when_busy"` // "ignore", "busy-tone", "replace"
}

// Door is a relay that opens a lock.
type Door struct {
	Name         string        `toml:"name"`
	Line         string        `toml:"line"`
	ActiveLow    bool          `toml:"active_low"`
	SwitchOn     time.Duration `toml:"switch_on"`
	Longest      time.Duration `toml:"longest"`       // ceiling of the continuous on-time
	TriggerDelay time.Duration `toml:"trigger_delay"` // from code to relay
	HangUpAfter  time.Duration `toml:"hang_up_after"` // from opening to the end of the call; 0: never
}

// The kinds of an input.
const (
	REX     = "rex"     // request to exit: the button inside that opens the door
	Contact = "contact" // tells whether the door stands open
	Tamper  = "tamper"  // tells that the case was opened
)

// Input is a contact other than a bell's. Active is pressed (rex), open (contact), opened (tamper).
type Input struct {
	Name          string        `toml:"name"`
	Kind          string        `toml:"kind"` // REX, Contact, Tamper
	Line          string        `toml:"line"`
	ActiveLow     bool          `toml:"active_low"`
	Bias          string        `toml:"bias"` // as a bell's
	Debounce      time.Duration `toml:"debounce"`
	Hold          time.Duration `toml:"hold"`            // 0: its kind's; see Sustained
	AC            bool          `toml:"ac"`              // as a bell's
	Door          string        `toml:"door"`            // rex: opens it; contact: watches it; tamper: ""
	HeldOpenAfter time.Duration `toml:"held_open_after"` // contact; 0: never
}

// What a lamp shows.
const (
	ShowsReady   = "ready"   // the station runs, and an account is registered or none is to be; blinks on a last good copy
	ShowsRinging = "ringing" // phones ring, or a caller rings at the door
	ShowsTalking = "talking"
	ShowsOpen    = "open" // the relay of a door is energised
)

// Lamp shows what the station does.
type Lamp struct {
	Name      string `toml:"name"`
	Line      string `toml:"line"`
	ActiveLow bool   `toml:"active_low"`
	Shows     string `toml:"shows"`
	Relay     bool   `toml:"relay"` // a relay switches it, which a kill must not leave on
}

// Code is a number that opens doors.
type Code struct {
	Who   string   `toml:"who"`
	Code  Secret   `toml:"code"` // 4 to 32 digits
	Doors []string `toml:"doors"`
}

// Access holds the rules of code entry, and of what keeps doors closed.
type Access struct {
	EndWith     string        `toml:"end_with"` // "#" or "length"
	DigitPause  time.Duration `toml:"digit_pause"`
	WrongLimit  int           `toml:"wrong_limit"`
	LockOut     time.Duration `toml:"lock_out"`
	InBand      bool          `toml:"in_band"`
	TamperBlock time.Duration `toml:"tamper_block"` // from the latest alarm
}

// Incoming says who may call the station.
type Incoming struct {
	AutoAnswer bool    `toml:"auto_answer"` // for all of Allow
	Allow      []Allow `toml:"allow"`
}

// Allow lets one caller in.
type Allow struct {
	From       string `toml:"from"`   // "sip:user@host", compared exactly
	Source     string `toml:"source"` // see ParseSource
	AutoAnswer bool   `toml:"auto_answer"`
	MayOpen    bool   `toml:"may_open"` // digits of this caller open doors
}

// Audio is the sound card and what is done to the sound.
type Audio struct {
	Card             string         `toml:"card"`   // "": the first; "wav:IN.wav,OUT.wav"; "none"
	Rate             int            `toml:"rate"`   // Hz; 0: the card's
	Period           time.Duration  `toml:"period"` // 5 to 40 ms
	Codecs           []string       `toml:"codecs"` // in order of preference: "PCMA", "PCMU", "G722"
	Volume           map[string]int `toml:"volume"` // mixer control: percent
	RingBack         string         `toml:"ring_back"`
	EchoCancelling   bool           `toml:"echo_cancelling"`
	NoiseSuppression bool           `toml:"noise_suppression"`
	GainControl      bool           `toml:"gain_control"`
	Walkie           bool           `toml:"walkie"` // half-duplex
}

// Board is the GPIO hardware.
type Board struct {
	Sim bool `toml:"sim"`
}

// Log is what goes to standard error.
type Log struct {
	Level  string `toml:"level"`  // "debug", "info", "warn", "error"
	Format string `toml:"format"` // "text", "json"
}

// Secret is text that prints as "***". Convert it with string(s) to use it.
type Secret string

// String hides a secret that is set.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides it from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides it from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides it from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Default is the configuration of a file that holds nothing but its version.
func Default() *Config {
	return &Config{
		Version: Version,
		Station: Station{Name: "Front door", DataDir: "/var/lib/portero"},
		SIP:     SIP{Listen: ":5062", RTPPorts: "10000-10199", AnswersFrom: []string{}, SilenceLimit: 15 * time.Second},
		Server:  Server{Enabled: "auto", Listen: ":5060"},
		Access: Access{EndWith: "#", DigitPause: 5 * time.Second, WrongLimit: 5, LockOut: 5 * time.Minute,
			TamperBlock: 30 * time.Minute},
		Audio: Audio{Rate: 48000, Period: 10 * time.Millisecond, Codecs: []string{"PCMA", "PCMU"}, RingBack: "de",
			EchoCancelling: true, NoiseSuppression: true, GainControl: true},
		Log: Log{Level: "info", Format: "text"},
	}
}

// setDefaults prepares an element of an array of tables; the types without one start from zero.
func (a *Account) setDefaults() { *a = Account{Expires: 10 * time.Minute, Register: true} }

func (b *Bell) setDefaults() {
	*b = Bell{ActiveLow: true, Bias: "pull-up", Debounce: 30 * time.Millisecond, StuckAfter: 20 * time.Second, Strategy: "parallel",
		HuntAfter: 15 * time.Second, RingLimit: 45 * time.Second, TalkLimit: 3 * time.Minute, Chime: "ding-dong", WhenBusy: "ignore"}
}

func (d *Door) setDefaults() {
	*d = Door{SwitchOn: 3 * time.Second, Longest: 10 * time.Second, HangUpAfter: 5 * time.Second}
}

func (in *Input) setDefaults() {
	*in = Input{ActiveLow: true, Bias: "pull-up", Debounce: 30 * time.Millisecond, HeldOpenAfter: 30 * time.Second}
}

// ServerOn says whether the built-in server runs: when asked for, or by itself when there is no account.
func (c *Config) ServerOn() bool {
	return c.Server.Enabled == "on" || c.Server.Enabled == "auto" && len(c.Accounts) == 0
}

// Account returns the account of that name, the first for "", nil when there is none.
func (c *Config) Account(name string) *Account {
	i := slices.IndexFunc(c.Accounts, func(a Account) bool { return name == "" || a.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Accounts[i]
}

// Warnings are the faults that did not keep the file from being used.
func (c *Config) Warnings() Faults { return c.warnings }

// Redacted returns a copy for logs and support bundles: secrets that are set read "***".
func (c *Config) Redacted() *Config {
	r := *c
	r.source = nil
	r.Accounts, r.Codes, r.Server.Users = slices.Clone(c.Accounts), slices.Clone(c.Codes), slices.Clone(c.Server.Users)
	for i := range r.Accounts {
		r.Accounts[i].Password = Secret(r.Accounts[i].Password.String())
	}
	for i := range r.Server.Users {
		r.Server.Users[i].Password = Secret(r.Server.Users[i].Password.String())
	}
	for i := range r.Codes {
		r.Codes[i].Code = Secret(r.Codes[i].Code.String())
	}
	return &r
}
