package selftest

import (
	"context"

	"portero/audio"
)

// sound plays, listens, and has the user say what the meter cannot: whether somebody heard it.
func (w *walk) sound(ctx context.Context) error {
	const title = "sound"
	if w.Card == nil {
		w.find(Skipped, title, "", "the configuration has no sound card")
		return nil
	}
	w.talk.say("")
	may, err := w.talk.ask(ctx, "Sound: a sweep and a tone are played; be quiet for three seconds. Now?")
	if err != nil {
		return err
	}
	if may != yes {
		w.find(Skipped, title, "", "not tried")
		return nil
	}
	l, err := w.measure(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		w.find(Fault, title, "`portero tone -list` lists the cards", "%v", err)
		return nil
	}
	grades := map[audio.Grade]Grade{audio.Good: OK, audio.Poor: Note, audio.Bad: Fault}
	for _, f := range l.Verdict() {
		w.find(grades[f.Grade], title, f.Remedy, "%s", f.What)
	}
	heard, err := w.talk.ask(ctx, "Did you hear both at the door?")
	switch {
	case err != nil:
		return err
	case heard == yes:
		w.find(OK, "loudspeaker", "", "heard")
	case heard == no:
		w.find(Fault, "loudspeaker", "audio.volume, muted controls, the amplifier's supply", "not heard")
	}
	return nil
}

func (w *walk) measure(ctx context.Context) (audio.Loopback, error) {
	card, err := w.Card(ctx, audio.FullDuplex)
	if err != nil {
		return audio.Loopback{}, err
	}
	defer card.Close()
	defer context.AfterFunc(ctx, func() { card.Close() })()
	return audio.MeasureLoopback(ctx, card)
}
