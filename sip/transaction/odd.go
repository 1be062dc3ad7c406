package transaction

import (
	"net/netip"
	"strings"
	"time"
)

// oddities tells of messages that could not be read as a whole: once per source and minute, so that a log
// survives a peer that errs in each message, and for oddSources sources a minute, so that it survives a
// flood.
type oddities struct {
	since time.Time // when this minute began
	told  map[netip.Addr]bool
}

const oddSources = 64

// first reports whether a message from addr is to be told.
func (o *oddities) first(addr netip.Addr, now time.Time) bool {
	if o.told == nil || now.Sub(o.since) >= time.Minute {
		o.since, o.told = now, map[netip.Addr]bool{}
	}
	if o.told[addr] || len(o.told) >= oddSources {
		return false
	}
	o.told[addr] = true
	return true
}

// tellOdd says what was passed over in a message.
func (s *Stack) tellOdd(from netip.AddrPort, call string, odd []string) {
	if len(odd) > 0 && s.odd.first(from.Addr(), time.Now()) {
		s.log.Warn("message read, but for a part of it", "call", call, "from", from, "passed_over",
			strings.Join(odd, "; "))
	}
}

// tellMalformed says why a message was dropped or refused.
func (s *Stack) tellMalformed(from netip.AddrPort, err error) {
	if s.odd.first(from.Addr(), time.Now()) {
		s.log.Warn("message not understood", "from", from, "err", err)
		return
	}
	s.log.Debug("message not understood", "from", from, "err", err)
}
