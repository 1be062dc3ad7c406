package access

import (
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"portero/device/config"
	"portero/device/event"
)

// Codes are the codes of the config and the rules of typing them. It belongs to the station's loop.
type Codes struct {
	codes  []code
	length int // end_with = "length": of all codes; 0: a code ends with '#'
	pause  time.Duration
	lock   *Lockout
	emit   func(event.Event)
}

type code struct {
	key   key
	who   string
	doors []string
}

// key is a code's length and digits, padded: two keys are compared in a time that tells nothing about either.
type key [1 + config.MaxCode]byte

// NewCodes takes the codes of c. emit gets code.accepted, code.wrong and code.locked_out.
func NewCodes(c *config.Config, lock *Lockout, emit func(event.Event)) (*Codes, error) {
	cs := &Codes{pause: c.Access.DigitPause, lock: lock, emit: emit}
	for _, x := range c.Codes {
		digits := string(x.Code)
		if len(digits) < config.MinCode || len(digits) > config.MaxCode || strings.Trim(digits, "0123456789") != "" {
			return nil, fmt.Errorf("access: code of %q: not %d to %d digits", x.Who, config.MinCode, config.MaxCode)
		}
		if c.Access.EndWith == "length" {
			if cs.length != 0 && cs.length != len(digits) {
				return nil, fmt.Errorf("access: code of %q: its length differs, but end_with = \"length\"", x.Who)
			}
			cs.length = len(digits)
		}
		k := key{byte(len(digits))}
		copy(k[1:], digits)
		cs.codes = append(cs.codes, code{key: k, who: x.Who, doors: x.Doors})
	}
	return cs, nil
}

// match compares typed with every code, without an early end.
func (cs *Codes) match(typed *key) *code {
	found := -1
	for i := range cs.codes {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(cs.codes[i].key[:], typed[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &cs.codes[found]
}
