package device

import (
	"maps"
	"slices"
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
	StandIn string    `json:"stand_in,omitempty"` // why it is not the file's; "": it is
}

// Snapshot is an immutable picture of the station: the one document that outlets show.
type Snapshot struct {
	About
	State    State     `json:"state"`
	Visit    *Visit    `json:"visit,omitempty"`
	Doors    []Door    `json:"doors,omitempty"`
	Missing  []string  `json:"missing,omitempty"` // what has no line at the moment, by its name on the board
	Accounts []Account `json:"accounts,omitempty"`
	Phones   []Handset `json:"phones,omitempty"` // at the built-in server
	Card     Card      `json:"card"`
	LockOut  time.Time `json:"lock_out,omitzero"` // codes are refused until then
	Tamper   bool      `json:"tamper,omitempty"`  // a tamper alarm blocks the relays
}

// Visit is a stay at the door.
type Visit struct {
	Bell     string    `json:"bell,omitempty"` // "": an incoming call
	Peer     string    `json:"peer,omitempty"` // who talks, or calls
	Since    time.Time `json:"since"`
	Answered time.Time `json:"answered,omitzero"`
	Parties  []Party   `json:"parties"`
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
	Since      time.Time `json:"since"`            // it is so
	Reason     string    `json:"reason,omitempty"` // why it is not registered
}

// Handset is a user of the built-in server with at least one phone.
type Handset struct {
	User     string    `json:"user"`
	Contacts int       `json:"contacts"`
	Since    time.Time `json:"since"` // there are so many
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

func (s *Station) publish() {
	snap := &Snapshot{About: s.parts.About, State: s.state, Missing: s.view.missing, Card: s.view.card, LockOut: s.lock.Until(),
		Tamper: s.tamper.Blocked()}
	if v := s.visit; v != nil {
		snap.Visit = v.picture()
	}
	for _, d := range s.cfg.Doors {
		snap.Doors = append(snap.Doors, Door{d.Name, s.doors.State(d.Name)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.view.accounts)) {
		snap.Accounts = append(snap.Accounts, s.view.accounts[name])
	}
	for _, user := range slices.Sorted(maps.Keys(s.view.phones)) {
		snap.Phones = append(snap.Phones, s.view.phones[user])
	}
	s.snap.Store(snap)
}

func (v *visit) picture() *Visit {
	p := &Visit{Peer: v.who, Since: v.since, Answered: v.answered}
	if v.bell != nil {
		p.Bell = v.bell.Name
	}
	for _, x := range v.parties {
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
		if contacts == 0 {
			s.view.phones = maps.Clone(s.view.phones)
			delete(s.view.phones, user)
			return
		}
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
