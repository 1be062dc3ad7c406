package device

import (
	"log/slog"

	"portero/board"
	"portero/device/config"
)

// light is a lamp with what it shows at the moment.
type light struct {
	*config.Lamp
	lamp board.Lamp
	lit  bool
	told bool // a failure was logged
}

// set switches the lamp where it is not as wanted. A failure is tried again at the next occasion and never matters.
func (l *light) set(on bool, log *slog.Logger) {
	if on == l.lit {
		return
	}
	if err := l.lamp.Set(on); err != nil {
		if !l.told {
			log.Error("lamp not switched", "part", "board", "lamp", l.Name, "err", err)
		}
		l.told = true
		return
	}
	l.lit = on
}

// show has the lamps follow the station. The loop calls it after all that has happened.
func (s *Station) show() {
	for _, l := range s.lights {
		on := false
		switch l.Shows {
		case config.ShowsReady:
			on = s.registered()
		case config.ShowsRinging:
			on = s.state == Calling || s.state == RingingIn
		case config.ShowsTalking:
			on = s.state == Talking
		case config.ShowsOpen:
			on = s.doors.Energised()
		}
		l.set(on, s.Log)
	}
}

// dark switches all lamps off.
func (s *Station) dark() {
	for _, l := range s.lights {
		l.set(false, s.Log)
	}
}

// registered says whether phones can be reached: an account is registered, or none is to be.
func (s *Station) registered() bool {
	wanted := false
	for _, a := range s.Config.Accounts {
		if a.Register {
			wanted = true
			if s.up[a.Name] {
				return true
			}
		}
	}
	return !wanted
}
