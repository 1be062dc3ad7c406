package selftest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"portero/device/access"
	"portero/device/config"
	"portero/device/event"
)

// overdue is how much longer than it should an opening may take to be told closed.
const overdue = 10 * time.Second

func (w *walk) relays(ctx context.Context) error {
	for i := range w.Config.Doors {
		d := &w.Config.Doors[i]
		title := fmt.Sprintf("door %q, relay on %s", d.Name, d.Line)
		w.talk.say("")
		released, err := w.talk.ask(ctx, "%s: is it released now (its light is off)?", title)
		if err != nil {
			return err
		}
		switch released {
		case skip:
			w.find(Skipped, title, "", "not tried")
			continue
		case no:
			const remedy = "active_low is wrong, or a 5 V board that does not release at 3.3 V"
			w.find(Fault, title, remedy, "energised while it should be released; it was not switched")
			continue
		}
		if err := w.click(ctx, d, title); err != nil {
			return err
		}
	}
	return nil
}

// click opens one door and has the user judge what the relay did.
func (w *walk) click(ctx context.Context, d *config.Door, title string) error {
	may, err := w.talk.ask(ctx, "The strike's wire is out of it, and it may click for %v now?", d.SwitchOn)
	if err != nil {
		return err
	}
	if may != yes {
		w.find(Skipped, title, "", "not tried")
		return nil
	}
	w.wires.take()
	for ok := true; ok; { // what an earlier door left
		_, ok = w.ended.TryNext()
	}
	w.loop.do(func() { err = w.doors.Open(access.Opening{Door: d.Name, Who: w.Who, How: event.BySelfTest}) })
	if err != nil {
		w.find(Fault, title, "", "it was not switched: %v", err)
		return nil
	}
	over, err := w.over(ctx, d)
	if err != nil {
		return err
	}
	disturbed := 0
	for _, n := range w.wires.take() {
		disturbed += n
	}
	if over.Kind != event.DoorClosed {
		w.find(Fault, title, "pull the board's plug if it is on", "it failed: %s", over.Reason)
		return nil
	}
	on := time.Duration(over.OnMS) * time.Millisecond
	heard, err := w.talk.ask(ctx, "Did it click on, and off again after %v?", d.SwitchOn)
	switch {
	case err != nil:
		return err
	case heard == no:
		const remedy = "look for the wrong pin, the relay board's supply and its jumpers"
		w.find(Fault, title, remedy, "on for %v, but nobody saw it", on)
	case disturbed > 0:
		const remedy = "the inputs' wires lie beside the relay's, or share its ground wire"
		w.find(Fault, title, remedy, "on for %v; it made %d edges on inputs", on, disturbed)
	case heard == skip:
		w.find(Skipped, title, "", "on for %v, not judged", on)
	default:
		w.find(OK, title, "", "on for %v, then released", on)
	}
	return nil
}

// over waits for the end of an opening.
func (w *walk) over(ctx context.Context, d *config.Door) (event.Event, error) {
	wait, cancel := context.WithTimeout(ctx, d.TriggerDelay+d.Longest+overdue)
	defer cancel()
	for {
		e, err := w.ended.Next(wait)
		switch {
		case ctx.Err() != nil:
			return e, context.Cause(ctx)
		case errors.Is(err, context.DeadlineExceeded):
			return event.Event{Kind: event.DoorFailed, Reason: "its end was never told"}, nil
		case err != nil:
			return e, err
		case e.Door == d.Name:
			return e, nil
		}
	}
}

func (w *walk) lamps(ctx context.Context) error {
	for _, l := range w.Config.Lamps {
		title := fmt.Sprintf("lamp %q on %s", l.Name, l.Line)
		lamp := w.board.Lamp(config.LampName(l.Name))
		if err := lamp.Set(true); err != nil {
			w.find(Fault, title, "", "%v", err)
			continue
		}
		w.talk.say("")
		lit, err := w.talk.ask(ctx, "%s: is it lit?", title)
		if err == nil && lit == yes {
			if err = lamp.Set(false); err == nil {
				lit, err = w.talk.ask(ctx, "%s: is it dark now?", title)
			}
		}
		if offErr := lamp.Set(false); offErr != nil {
			err = errors.Join(err, offErr)
		}
		switch {
		case err != nil:
			return err
		case lit == yes:
			w.find(OK, title, "", "lit, then dark")
		case lit == skip:
			w.find(Skipped, title, "", "not judged")
		default:
			const remedy = "look for the wrong pin, the LED's direction, its resistor, or active_low"
			w.find(Fault, title, remedy, "not as it should be")
		}
	}
	return nil
}
