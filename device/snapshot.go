package device

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"portero/audio"
	"portero/device/access"
	"portero/device/event"
	"portero/sip"
	"portero/sip/ua"
)

// About is what a station is told of itself.
type About struct {
	Version string    `json:"version,omitempty"`
	Since   time.Time `json:"since"`              // this configuration runs
	StandIn *StandIn  `json:"stand_in,omitempty"` // nil: it is the file's
}

// StandIn says that a station runs another configuration than its file's.
type StandIn struct {
	Reason string    `json:"reason"`        // why the file cannot be used
	Copy   time.Time `json:"copy,omitzero"` // of the last good copy that runs; zero: it is what the station before ran with
	Out    []string  `json:"out,omitempty"` // what of that is left out
}

// String is one sentence.
func (s *StandIn) String() string {
	text := "what the station before ran with stands in for the file"
	if !s.Copy.IsZero() {
		text = "the last good copy, of " + s.Copy.Format("2006-01-02 15:04") + ", stands in for the file"
	}
	if len(s.Out) > 0 {
		text += ", without " + strings.Join(s.Out, ", ")
	}
	return text + ": " + s.Reason
}

// Snapshot is an immutable picture of the station: the one document that outlets show.
type Snapshot struct {
	About
	Ready     bool      `json:"ready"` // the inputs are watched
	State     State     `json:"state"`
	Visit     *Visit    `json:"visit,omitempty"`
	LastVisit *Visit    `json:"last_visit,omitempty"` // that has ended
	Doors     []Door    `json:"doors,omitempty"`
	Missing   []string  `json:"missing,omitempty"`  // what has no line at the moment, by its name on the board
	Accounts  []Account `json:"accounts,omitempty"` // that are to be registered
	Phones    []Handset `json:"phones,omitempty"`   // at the built-in server
	Card      Card      `json:"card"`
	LockOut   time.Time `json:"lock_out,omitzero"` // codes are refused until then
	Tamper    bool      `json:"tamper,omitempty"`  // a tamper alarm blocks the relays
}

// Visit is a stay at the door.
type Visit struct {
	Bell     string    `json:"bell,omitempty"` // "": an incoming call
	Peer     string    `json:"peer,omitempty"` // who talks, or calls
	Since    time.Time `json:"since"`
	Answered time.Time `json:"answered,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Parties  []Party   `json:"parties,omitempty"`
}

// Party is one call of a visit.
type Party struct {
	Call   string `json:"call"` // Call-ID
	Target string `json:"target"`
	Rings  bool   `json:"rings,omitempty"`
	Talks  bool   `json:"talks,omitempty"`
	Hears  bool   `json:"hears,omitempty"` // the door
}

// Door is a door as the station knows it.
type Door struct {
	Name  string       `json:"name"`
	State access.State `json:"state"`
}

// Account is a registration at a SIP server.
type Account struct {
	Name       string    `json:"name"`
	Registered bool      `json:"registered"`
	Since      time.Time `json:"since,omitzero"`   // it is so; zero: the server has not answered yet
	Reason     string    `json:"reason,omitempty"` // why it is not registered
}

// Handset is a user of the built-in server.
type Handset struct {
	User     string    `json:"user"`
	Contacts int       `json:"contacts"`       // phones of that name
	Since    time.Time `json:"since,omitzero"` // there are so many; zero: there was none yet
}

// Card is the sound card.
type Card struct {
	State  string    `json:"state"` // "closed", "open", "lost"
	Mic    bool      `json:"mic,omitempty"`
	Reason string    `json:"reason,omitempty"` // why it is lost
	Since  time.Time `json:"since,omitzero"`
}

// view is what the snapshot shows of things that others own, as they have told the loop. The parts are
// replaced, never changed.
type view struct {
	missing  []string
	accounts map[string]Account
	phones   map[string]Handset
	card     Card
}

// Snapshot returns what the station was doing after the last thing that happened.
func (s *Station) Snapshot() Snapshot { return *s.snap.Load() }

// Ask is Snapshot by way of the SIP stack's loop and the station's, as the watchdog asks: a station that hangs
// gives none until ctx ends.
func (s *Station) Ask(ctx context.Context) (Snapshot, error) {
	answer := make(chan Snapshot, 1)
	s.phone.Agent.Stack().Post(func() { s.box.Put(func() { answer <- s.Snapshot() }) })
	select {
	case snap := <-answer:
		return snap, nil
	case <-ctx.Done():
		return Snapshot{}, ctx.Err()
	case <-s.ended:
		return Snapshot{}, ErrEnded
	}
}

func (s *Station) publish() {
	snap := &Snapshot{About: s.parts.About, Ready: s.watching, State: s.state, Missing: s.view.missing, Card: s.view.card,
		LockOut: s.lock.Until(), Tamper: s.tamper.Blocked()}
	if v := s.visit; v != nil {
		snap.Visit = v.picture()
	}
	snap.LastVisit = s.lastVisit(snap.Visit)
	for _, d := range s.cfg.Doors {
		snap.Doors = append(snap.Doors, Door{d.Name, s.doors.State(d.Name)})
	}
	for _, a := range s.cfg.Accounts {
		if account, told := s.view.accounts[a.Name]; told || a.Register {
			account.Name = a.Name
			snap.Accounts = append(snap.Accounts, account)
		}
	}
	for _, user := range slices.Sorted(maps.Keys(s.view.phones)) {
		snap.Phones = append(snap.Phones, s.view.phones[user])
	}
	s.snap.Store(snap)
}

// lastVisit is the visit that has ended last, now that another goes on or none (nil).
func (s *Station) lastVisit(now *Visit) *Visit {
	before := s.snap.Load()
	switch {
	case before == nil:
		return s.parts.LastVisit
	case before.Visit == nil || now != nil && now.Since.Equal(before.Visit.Since):
		return before.LastVisit
	}
	ended := *before.Visit
	ended.Ended, ended.Parties = time.Now(), nil
	return &ended
}

func (v *visit) picture() *Visit {
	p := &Visit{Peer: v.who, Since: v.since, Answered: v.answered}
	if v.bell != nil {
		p.Bell = v.bell.Name
	}
	for _, x := range v.everybody() {
		if !x.ended {
			p.Parties = append(p.Parties, Party{Call: x.id(), Target: x.target.Text, Rings: x.rang && x != v.talk, Talks: x == v.talk,
				Hears: x.hearing().mayHear() && x.media.Sends()})
		}
	}
	return p
}

// registration runs on the stack's loop.
func (s *Station) registration(account string, ev ua.RegEvent) {
	e := event.Event{Account: account, Status: ev.Status}
	switch {
	case ev.Registered:
		e.Kind = event.RegistrationUp
	case ev.Err == nil && ev.Status == 0:
		e.Kind = event.RegistrationDown
	default:
		e.Kind = event.RegistrationFailed
		e.Reason = sip.ReasonPhrase(ev.Status)
		if ev.Err != nil {
			e.Reason = ev.Err.Error()
		}
	}
	s.tell(e)
	now := time.Now()
	s.box.Put(func() {
		was, known := s.view.accounts[account]
		if known && was.Registered == ev.Registered {
			now = was.Since
		}
		s.view.accounts = with(s.view.accounts, account, Account{account, ev.Registered, now, e.Reason})
	})
}

// PhonesChanged tells how many contacts a user of the built-in server has.
func (s *Station) PhonesChanged(user string, contacts int) {
	now := time.Now()
	s.box.Put(func() {
		s.view.phones = with(s.view.phones, user, Handset{user, contacts, now})
	})
}

// CardChanged tells what has become of the sound card.
func (s *Station) CardChanged(ev audio.CardEvent) {
	card := Card{State: "open", Mic: ev.Use == audio.FullDuplex, Since: time.Now()}
	switch ev.State {
	case audio.CardClosed:
		card.State = "closed"
	case audio.CardLost:
		card.State = "lost"
	}
	if ev.Err != nil {
		card.Reason = ev.Err.Error()
	}
	s.box.Put(func() { s.view.card = card })
}

// with is m with a value more: those who hold the old one see no change.
func with[V any](m map[string]V, key string, value V) map[string]V {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}
