package registrar

import (
	"time"

	"portero/sip"
)

// stop is what remains to be done before a server may end: calls between phones that ring because of it.
type stop struct {
	ringing map[*fork]struct{} // INVITEs whose caller waits, or that have branches
	done    func()             // nil: the server does not stop
}

// Shutdown takes back the calls that ring: their phones get a CANCEL, and their caller, who has not given up, a
// 503 once they have ended, or after within at the latest. So no phone rings on for a caller who is no longer
// connected to it. New calls are refused with 503; what is answered goes on without the server. done runs on the
// loop. Any goroutine may call it, once.
func (s *Server) Shutdown(within time.Duration, done func()) {
	s.stack.Post(func() {
		s.stop.done = done
		if n := len(s.stop.ringing); n > 0 {
			s.log.Info("calls between phones are cancelled, for the server stops", "calls", n)
		}
		for f := range s.stop.ringing {
			if f.cancelOthers(); f.pending == 0 {
				f.conclude()
			}
		}
		s.stack.After(within, func() {
			for f := range s.stop.ringing {
				f.conclude() // a phone that is switched off says nothing
			}
			s.stop.ended()
		})
		s.stop.check()
	})
}

// stopping says whether a request would begin a call that the server cannot see through.
func (s *Server) stopping(req *sip.Request) bool {
	return s.stop.done != nil && req.Method == sip.INVITE
}

func (st *stop) add(f *fork) {
	if f.invite {
		if st.ringing == nil {
			st.ringing = map[*fork]struct{}{}
		}
		st.ringing[f] = struct{}{}
	}
}

// settle forgets a fork whose caller has the last word and whose branches have ended.
func (st *stop) settle(f *fork) {
	if f.pending > 0 || !f.answered && !f.failed {
		return
	}
	delete(st.ringing, f)
	if st.done != nil {
		st.check()
	}
}

func (st *stop) check() {
	if len(st.ringing) == 0 {
		st.ended()
	}
}

// ended says so once.
func (st *stop) ended() {
	if done := st.done; done != nil {
		st.done = func() {}
		done()
	}
}
