package transaction

import "portero/sip"

// The bounds of server transactions. What a final response has ended, with its ACK if that is a refused INVITE's,
// is kept for repetitions alone: when a share is full the oldest of those goes.
const (
	MaxServers = 4096 // in all; more requests outside of dialogs are answered 503 statelessly
	MaxShare   = 1024 // of one user, or of one source: nobody takes the room of the others
	Reserve    = 512  // of MaxServers, for what a core calls Reserved
)

// holding is what a share has at present.
type holding struct {
	servers int
	ended   []*Server // that are kept for repetitions, the oldest first
}

// room makes room for one more transaction, and reports whether there is some. What Admit lets into a dialog
// has twice its share and all of the table: the BYE of a call must reach it, however many strangers there are.
func (s *Stack) room(v Verdict, req *sip.Request) bool {
	share, all := MaxShare, MaxServers-Reserve
	switch {
	case v.Reserved:
		share, all = MaxServers, MaxServers
	case req.To.Tag() != "":
		share, all = 2*MaxShare, len(s.servers)+1
	}
	h := s.shares[v.Share]
	for h != nil && h.servers >= share && len(h.ended) > 0 {
		h.ended[0].expire()
	}
	return (h == nil || h.servers < share) && len(s.servers) < all
}

// charge counts a transaction against its share, until it is settled.
func (s *Stack) charge(tx *Server, to Share) {
	h := s.shares[to]
	if h == nil {
		h = &holding{}
		s.shares[to] = h
	}
	h.servers++
	tx.share, tx.charged = to, true
}

// rests notes a transaction that is kept for repetitions.
func (s *Stack) rests(tx *Server) {
	if tx.charged {
		h := s.shares[tx.share]
		h.ended = append(h.ended, tx)
	}
}

// expire ends a transaction that is kept for repetitions before its time.
func (tx *Server) expire() {
	switch tx.state {
	case accepted:
		tx.step(evTimerL)
	case confirmed:
		tx.step(evTimerI)
	default:
		tx.step(evTimerJ)
	}
}

// settle takes a transaction that is over off its share.
func (s *Stack) settle(tx *Server) {
	if !tx.charged {
		return
	}
	h := s.shares[tx.share]
	for len(h.ended) > 0 && h.ended[0].state == terminated {
		h.ended = h.ended[1:]
	}
	if h.servers--; h.servers == 0 {
		delete(s.shares, tx.share)
	}
}
