package access

import (
	"time"

	"portero/device/config"
	"portero/device/event"
)

// Outcome is what a digit led to.
type Outcome string

// The outcomes of a digit.
const (
	Pending   Outcome = ""           // the code has not ended
	Accepted  Outcome = "accepted"   // Who and Doors say what to open
	Wrong     Outcome = "wrong"      // no such code
	LockedOut Outcome = "locked out" // whatever the code: too many wrong ones before
)

// Result is an Outcome with what an accepted code opens.
type Result struct {
	Outcome Outcome
	Who     string
	Doors   []string // the config's: not to be changed
}

// Way is how digits reach the door. A phone that sends a key by several ways fills an entry by each.
type Way uint8

// The ways of digits.
const (
	ByEvents      Way = iota // RTP's events, RFC 4733
	ByOtherEvents            // those of a second stream
	ByTones                  // in the sound
	ByINFO                   // SIP's method
	wayCount
)

// Entry collects the digits of one call.
type Entry struct {
	codes *Codes
	call  string
	by    [wayCount]typing
	ended [wayCount]typed // the latest codes that were judged
	next  int             // of ended, to be overwritten

	locked bool // the latest digit came during a lock-out
}

// typing is the code that one way has begun.
type typing struct {
	typed key // typed[0] counts the digits that fit
	long  bool
	last  time.Time
}

// typed is a code that was judged, and the ways that have brought it.
type typed struct {
	key  key
	long bool
	at   time.Time
	by   [wayCount]bool
}

// sameTyping is how far apart two ways may bring one typing of a code.
const sameTyping = 5 * time.Second

// NewEntry begins the entry of a call, whose id its events carry.
func (cs *Codes) NewEntry(call string) *Entry { return &Entry{codes: cs, call: call} }

// Digit takes a key of the phone pressed at that time: 0-9, A-D, '*' or '#'; other runes are nothing.
//
// '#' ends a code, or its exact length does where end_with is "length". '*' forgets the digits so far, and so
// does a pause longer than digit_pause; neither counts. An ended code of at least one digit that matches none
// counts as one wrong code; '#' alone is nothing. More digits than the longest code are counted once, when
// they end. What was typed during a lock-out is forgotten when that ends: no code begins with digits from a
// time when it could open nothing.
//
// Each way has digits of its own, and whichever completes a right code opens. The same code by another way
// within 5 s is the same typing and nothing more; another code counts for itself.
func (e *Entry) Digit(by Way, r rune, at time.Time) Result {
	t := &e.by[by]
	locked := e.codes.lock.Locked(at)
	if e.locked && !locked {
		e.Forget()
	}
	if t.typed[0] > 0 && at.Sub(t.last) > e.codes.pause {
		*t = typing{}
	}
	e.locked = locked
	switch {
	case r == '*':
		*t = typing{}
		return Result{}
	case r == '#':
		if t.typed[0] == 0 {
			return Result{}
		}
		return e.end(by, at)
	case r >= '0' && r <= '9' || r >= 'A' && r <= 'D':
	default:
		return Result{}
	}
	t.last = at
	if t.typed[0] < config.MaxCode {
		t.typed[0]++
		t.typed[t.typed[0]] = byte(r)
	} else {
		t.long = true
	}
	if n := e.codes.length; n > 0 && int(t.typed[0]) == n {
		return e.end(by, at)
	}
	return Result{}
}

// Forget forgets the digits so far: doors have ceased, or begun, to open to codes.
func (e *Entry) Forget() { e.by = [wayCount]typing{} }

func (e *Entry) end(by Way, at time.Time) Result {
	cs, t := e.codes, e.by[by]
	e.by[by] = typing{}
	if e.echoes(by, t, at) {
		return Result{}
	}
	found := cs.match(&t.typed)
	if t.long {
		found = nil
	}
	switch {
	case cs.lock.Locked(at):
		return Result{Outcome: LockedOut}
	case found == nil:
		cs.emit(event.Event{Kind: event.CodeWrong, Call: e.call})
		cs.lock.wrongCode(e.call, at)
		return Result{Outcome: Wrong}
	}
	cs.lock.rightCode()
	cs.emit(event.Event{Kind: event.CodeAccepted, Call: e.call, Who: found.who})
	return Result{Outcome: Accepted, Who: found.who, Doors: found.doors}
}

// echoes reports whether another way has brought this typing already; else it is kept for those to come.
// Each way echoes a typing once: who types a code again means it.
func (e *Entry) echoes(by Way, t typing, at time.Time) bool {
	for i := range e.ended {
		d := &e.ended[i]
		if d.key == t.typed && d.long == t.long && !d.by[by] && !d.at.IsZero() && at.Sub(d.at) <= sameTyping {
			d.by[by] = true
			return true
		}
	}
	d := &e.ended[e.next]
	*d = typed{key: t.typed, long: t.long, at: at}
	d.by[by] = true
	e.next = (e.next + 1) % len(e.ended)
	return false
}
