package registrar

import (
	"net/netip"
	"time"

	"portero/sip/transaction"
)

// guard counts wrong passwords by source, against guessing.
type guard struct{ sources map[netip.Prefix]*failures }

type failures struct {
	count int
	until time.Time // of the minute that is counted, or of the block
}

const (
	maxFailures = 10
	guardFor    = time.Minute
	maxSources  = 1024
)

// blocked reports whether a source has failed too often lately.
func (g *guard) blocked(a netip.Addr, now time.Time) bool {
	if len(g.sources) == 0 {
		return false
	}
	f := g.sources[transaction.SourceOf(a)]
	return f != nil && f.count >= maxFailures && now.Before(f.until)
}

// failed notes a wrong password and reports whether it was the one too many.
func (g *guard) failed(a netip.Addr, now time.Time) bool {
	source := transaction.SourceOf(a)
	f := g.sources[source]
	if f == nil || !now.Before(f.until) {
		if f == nil {
			g.makeRoom()
		}
		f = &failures{until: now.Add(guardFor)}
		g.sources[source] = f
	}
	f.count++
	if f.count == maxFailures {
		f.until = now.Add(guardFor)
	}
	return f.count == maxFailures
}

func (g *guard) makeRoom() {
	if g.sources == nil {
		g.sources = map[netip.Prefix]*failures{}
	}
	if len(g.sources) < maxSources {
		return
	}
	// any one: forging so many sources gains a guesser a few tries and costs no memory
	for source := range g.sources {
		delete(g.sources, source)
		break
	}
}
