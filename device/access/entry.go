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

// Entry collects the digits of one call.
type Entry struct {
	codes *Codes
	call  string
	typed key // typed[0] counts the digits that fit
	long  bool
	last  time.Time

	locked bool // the latest digit came during a lock-out
}

// NewEntry begins the entry of a call, whose id its events carry.
func (cs *Codes) NewEntry(call string) *Entry { return &Entry{codes: cs, call: call} }

// Digit takes a key of the phone pressed at that time: 0-9, A-D, '*' or '#'; other runes are nothing.
//
// '#' ends a code, or its exact length does where end_with is "length". '*' forgets the digits so far, and so
// does a pause longer than digit_pause; neither counts. An ended code of at least one digit that matches none
// counts as one wrong code; '#' alone is nothing. More digits than the longest code are counted once, when
// they end. What was typed during a lock-out is forgotten when that ends: no code begins with digits from a
// time when it could open nothing.
func (e *Entry) Digit(r rune, at time.Time) Result {
	locked := e.codes.lock.Locked(at)
	if e.typed[0] > 0 && at.Sub(e.last) > e.codes.pause || e.locked && !locked {
		e.clear()
	}
	e.locked = locked
	switch {
	case r == '*':
		e.clear()
		return Result{}
	case r == '#':
		if e.typed[0] == 0 {
			return Result{}
		}
		return e.end(at)
	case r >= '0' && r <= '9' || r >= 'A' && r <= 'D':
	default:
		return Result{}
	}
	e.last = at
	if e.typed[0] < config.MaxCode {
		e.typed[0]++
		e.typed[e.typed[0]] = byte(r)
	} else {
		e.long = true
	}
	if n := e.codes.length; n > 0 && int(e.typed[0]) == n {
		return e.end(at)
	}
	return Result{}
}

// Forget forgets the digits so far: doors have ceased, or begun, to open to codes.
func (e *Entry) Forget() { e.clear() }

func (e *Entry) clear() { e.typed, e.long = key{}, false }

func (e *Entry) end(at time.Time) Result {
	cs := e.codes
	found := cs.match(&e.typed)
	if e.long {
		found = nil
	}
	e.clear()
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
