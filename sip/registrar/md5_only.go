package registrar

import (
	"net/netip"
	"strings"
	"time"

	"portero/sip"
)

// md5Only finds the phones that choke on a challenge with SHA-256 instead of passing it over (libre before
// 2.0, which is in baresip 1.0, gives up at any challenge it does not know): a phone that was offered both
// algorithms, said nothing, and comes again without credentials, is offered MD5 alone from then on. It gives
// away nothing that the offer of both did not.
type md5Only struct{ offers map[netip.AddrPort]offer }

type offer struct {
	branch string // of the request that was challenged
	at     time.Time
	md5    bool // alone
}

const (
	answerWithin = 2 * time.Second // what a phone that understood a challenge needs at most to answer
	maxOffers    = 1024
)

// challenged notes a challenge and reports whether it must be MD5 alone; fresh: the request had no
// credentials at all.
func (f *md5Only) challenged(at netip.AddrPort, req *sip.Request, fresh bool, now time.Time) bool {
	o, ok := f.offers[at]
	branch := req.Via[0].Branch()
	branch = branch[:min(len(branch), 64)]
	switch {
	case o.md5 || chokes(req.Get("User-Agent")):
		return true
	case !fresh || ok && o.branch == branch: // a repetition, whose challenge may have been lost
		return false
	case ok && now.Sub(o.at) >= answerWithin:
		o.md5 = true
	case ok:
		return false // something else that the phone has under way
	}
	if f.offers == nil {
		f.offers = map[netip.AddrPort]offer{}
	}
	if !ok && len(f.offers) >= maxOffers {
		for old := range f.offers { // any one: it costs that phone another attempt
			delete(f.offers, old)
			break
		}
	}
	o.branch, o.at = branch, now
	f.offers[at] = o
	return o.md5
}

// chokes names the phones that are known to give up, so that they need not fail first. A phone that lies here
// gets no more than one that keeps silent.
func chokes(userAgent string) bool {
	return strings.HasPrefix(userAgent, "baresip v0.") || strings.HasPrefix(userAgent, "baresip v1.")
}

// answered notes that a phone has answered a challenge.
func (f *md5Only) answered(at netip.AddrPort) {
	if o, ok := f.offers[at]; ok && !o.md5 {
		delete(f.offers, at)
	}
}
