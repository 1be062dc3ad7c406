package transaction

import (
	"net/netip"
	"strings"
	"time"

	"portero/sip"
)

// oddSources is how many sources of messages that could not be read as a whole are told a minute.
const oddSources = 64

// tellOdd says what was passed over in a message.
func (s *Stack) tellOdd(from netip.AddrPort, call string, odd []string) {
	if len(odd) > 0 && s.odd.First(from.Addr(), time.Now()) {
		s.log.Warn("message read, but for a part of it", "call", call, "from", from, "passed_over",
			strings.Join(odd, "; "))
	}
}

// tellMalformed says why a message was dropped or refused.
func (s *Stack) tellMalformed(from netip.AddrPort, err error) {
	if s.odd.First(from.Addr(), time.Now()) {
		s.log.Warn("message not understood", "from", from, "err", err)
		return
	}
	s.log.Debug("message not understood", "from", from, "err", err)
}

// tellElsewhere says that a response was passed over.
func (s *Stack) tellElsewhere(from netip.AddrPort, tx *Client, res *sip.Response) {
	if s.elsewhere.First(from.Addr(), time.Now()) {
		s.log.Warn("response from elsewhere passed over", "call", res.CallID, "method", res.CSeq.Method, "status", res.Status,
			"from", from, "to", tx.target.Addr, "remedy", "if the far end answers from there, write its address into [sip] answers_from")
	}
}
