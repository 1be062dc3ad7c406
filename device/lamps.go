package device

import (
	"log/slog"
	"time"

	"portero/board"
	"portero/device/config"
)

// lamp is a lamp with what it shows at the moment.
type lamp struct {
	*config.Lamp
	board board.Lamp
	lit   bool
	told  bool // a failure was logged
}

// set switches the lamp where it is not as wanted. A failure is tried again at the next trigger and never
// matters.
func (l *lamp) set(on bool, log *slog.Logger) {
	if on == l.lit {
		return
	}
	if err := l.board.Set(on); err != nil {
		if !l.told {
			log.Error("lamp not switched", "lamp", l.Name, "err", err)
		}
		l.told = true
		return
	}
	l.lit = on
}

// updateLamps has the lamps follow the station. The loop calls it after all that has happened.
func (s *Station) updateLamps() {
	for _, l := range s.lamps {
		on := false
		switch l.Shows {
		case config.ShowsReady:
			on = s.registered() && s.steady(l)
		case config.ShowsRinging:
			on = s.state == Calling || s.state == RingingIn
		case config.ShowsTalking:
			on = s.state == Talking
		case config.ShowsOpen:
			on = s.doors.Energised()
		}
		l.set(on, s.log)
	}
}

// blinkEvery is the half of a ready lamp's period.
const blinkEvery = 500 * time.Millisecond

// steady is the light of a ready lamp: it blinks where another configuration stands in for the file's. One that
// may not stays dark.
func (s *Station) steady(l *lamp) bool {
	return s.parts.About.StandIn == nil || s.blink && l.MayBlink()
}

// blinking has updateLamps called for each change of a ready lamp that blinks.
func (s *Station) blinking() {
	if s.parts.About.StandIn == nil {
		return
	}
	for _, l := range s.lamps {
		if l.Shows == config.ShowsReady && l.MayBlink() {
			s.blink = !s.blink
			s.after(blinkEvery, s.blinking)
			return
		}
	}
}

// lampsOff switches all lamps off.
func (s *Station) lampsOff() {
	for _, l := range s.lamps {
		l.set(false, s.log)
	}
}

// registered says whether phones can be reached: an account is registered, or none is to be.
func (s *Station) registered() bool {
	wanted := false
	for _, a := range s.cfg.Accounts {
		if a.Register {
			wanted = true
			if s.view.accounts[a.Name].Registered {
				return true
			}
		}
	}
	return !wanted
}
