package app

import (
	"errors"
	"fmt"
	"strings"

	"portero/board"
	"portero/device/config"
	"portero/device/event"
)

// unsafePin is a door whose relay moves before the station starts.
type unsafePin struct {
	door *config.Door
	why  error
}

// unsafePins are the doors of cfg on such pins, from its faults and from what the hardware told
// (board.Check).
func unsafePins(cfg *config.Config, hardware []error) (found []unsafePin) {
	for _, f := range cfg.Warnings().Of(config.Unsafe) {
		for i := range cfg.Doors {
			if f.Key == fmt.Sprintf("door[%d].line", i) {
				found = append(found, unsafePin{&cfg.Doors[i], f})
			}
		}
	}
	for _, err := range hardware {
		var pin *board.PinError
		if !errors.As(err, &pin) || !pin.Refused || pin.Spelt {
			continue
		}
		for i := range cfg.Doors {
			if config.DoorRelay(cfg.Doors[i].Name) == pin.Relay {
				found = append(found, unsafePin{&cfg.Doors[i], pin})
			}
		}
	}
	return found
}

// tellUnsafe tells of what the file says and the station does not do, as it would be unsafe or makes no sense,
// and of relays that moved before Linux had started. Those doors work all the same: the click is over, and a
// station that refused its doors after an upgrade would lock people out.
func (p *Program) tellUnsafe(cfg *config.Config) {
	for _, f := range cfg.Warnings().Of(config.Ignored, config.Unsafe) {
		if !strings.HasPrefix(f.Key, "door[") {
			p.events.Emit(event.Event{Kind: event.ConfigUnsafe, Reason: f.Error()})
		}
	}
	for _, u := range unsafePins(cfg, p.options.CheckBoard(BoardConfig(cfg))) {
		p.events.Emit(event.Event{Kind: event.DoorUnsafe, Door: u.door.Name, Reason: u.why.Error()})
	}
}
