package device

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/device/access"
	"portero/device/event"
	"portero/sip/ua"
)

// TestCommandsHaveAnswers: what cannot be done says why.
func TestCommandsHaveAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside)
		api := func(door string) OpenDoor {
			return OpenDoor{access.Opening{Door: door, Who: "the caretaker", How: event.ByAPI}}
		}
		for _, c := range []struct {
			command Command
			want    error
		}{
			{Press{Bell: "roof"}, ErrNoBell},
			{HangUp{}, ErrNoCall},
			{Answer{}, ErrNoRinging},
			{Refuse{}, ErrNoRinging},
			{api("attic"), access.ErrNoDoor},
			{api("front"), nil},
			{Press{}, nil},
			{HangUp{}, nil},
		} {
			if err := d.Do(t.Context(), c.command); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%+v: %v, want %v", c.command, err, c.want)
			}
		}
		if ev := d.want(event.DoorOpened); ev.Who != "the caretaker" || ev.How != event.ByAPI {
			t.Errorf("%+v", ev)
		}
		d.stop()
		if err := d.Do(t.Context(), Press{}); !errors.Is(err, ErrEnded) {
			t.Errorf("after the end: %v, want %v", err, ErrEnded)
		}
	})
}

// TestCommandOfHastyProgram: whoever does not wait for the answer gets its own context's error, and blocks
// nobody.
func TestCommandOfHastyProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", "")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := d.Do(ctx, Press{}); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		d.want(event.CallStarted) // it was done all the same
	})
}

// TestAnswerByCommand: the door hears that somebody listens before it is heard. A refused call ends.
func TestAnswerByCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:hall@10.0.0.3"`, "", allowKitchen)
		kitchen := r.phone("10.0.0.2:5060")
		call := func() *ua.Call {
			c, _ := kitchen.dial("sip:door@10.0.0.1:5062")
			d.want(event.CallRinging)
			kitchen.want(ua.Progress)
			return c
		}
		call()
		d.do(Refuse{})
		kitchen.want(ua.Ended)
		d.want(event.CallEnded)
		time.Sleep(time.Minute)

		c, m := kitchen.dial("sip:door@10.0.0.1:5062")
		d.want(event.CallRinging)
		kitchen.want(ua.Progress)
		d.heard.Reset()
		d.do(Answer{})
		if err := m.Accept(kitchen.want(ua.Answered).Body); err != nil {
			t.Fatal(err)
		}
		m.Start()
		d.want(event.CallAnswered)
		time.Sleep(100 * time.Millisecond)
		if d.card.Use() == audio.FullDuplex || d.Snapshot().Visit.Parties[0].Hears {
			t.Error("the microphone is open before the signal was heard")
		}
		time.Sleep(5 * time.Second)
		if loud(d.heard.Samples()) == 0 {
			t.Error("no signal at the door")
		}
		if d.card.Use() != audio.FullDuplex || !d.Snapshot().Visit.Parties[0].Hears {
			t.Error("the microphone stays closed after the signal")
		}
		c.Hangup()
		d.want(event.CallEnded)
	})
}

// TestSnapshot follows one visit, and what others tell.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d, p := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", inside), r.phone("10.0.0.2:5060")
		if s := d.Snapshot(); s.State != Idle || s.Visit != nil || !slices.Equal(s.Doors, []Door{{"front", access.Closed}}) || s.Tamper {
			t.Errorf("idle: %+v", s)
		}
		d.press("front")
		offered := p.want(ua.Offered)
		offered.Leg.Progress(180, nil)
		d.want(event.CallRinging)
		synctest.Wait()
		if v := d.Snapshot().Visit; v == nil || v.Bell != "front" || len(v.Parties) != 1 || !v.Parties[0].Rings || v.Parties[0].Hears {
			t.Errorf("ringing: %+v", v)
		}
		m := p.answer(offered)
		d.want(event.CallAnswered)
		time.Sleep(100 * time.Millisecond) // until something is heard of the phone
		v := d.Snapshot().Visit
		if v.Answered.IsZero() || !v.Parties[0].Talks || !v.Parties[0].Hears || v.Peer != "sip:kitchen@10.0.0.2" {
			t.Errorf("talking: %+v", v)
		}
		before := d.Snapshot()
		m.Session().SendDigits("4711#")
		d.want(event.DoorOpened)
		d.set("input:case", true)
		d.want(event.TamperAlarm)
		d.PhonesChanged("kitchen", 2)
		d.PhonesChanged("hall", 1)
		d.PhonesChanged("hall", 0)
		d.CardChanged(audio.CardEvent{State: audio.CardLost, Err: errors.New("unplugged")})
		synctest.Wait()
		s := d.Snapshot()
		if !s.Tamper || len(s.Phones) != 2 || s.Phones[0].User != "hall" || s.Phones[0].Contacts != 0 || s.Phones[1].Contacts != 2 ||
			s.Card.State != "lost" || s.Card.Reason != "unplugged" {
			t.Errorf("in all: %+v", s)
		}
		if before.Tamper || before.Phones != nil || before.Card.State == "lost" {
			t.Errorf("an older snapshot has changed: %+v", before)
		}
		if text, err := json.Marshal(s); err != nil || len(text) < 100 {
			t.Errorf("as JSON: %s, %v", text, err)
		}
		if !s.Ready || s.LastVisit != nil {
			t.Errorf("ready %v, the last visit %+v", s.Ready, s.LastVisit)
		}
		offered.call.Hangup()
		d.want(event.CallEnded)
		time.Sleep(time.Minute)
		want := *v
		want.Ended, want.Parties = time.Now().Add(-time.Minute), nil
		last := d.Snapshot().LastVisit
		if last == nil || last.Ended.Sub(want.Ended).Abs() > 5*time.Second {
			t.Fatalf("the last visit: %+v", last)
		}
		if want.Ended = last.Ended; !reflect.DeepEqual(*last, want) {
			t.Errorf("the last visit: %+v, want %+v", *last, want)
		}
	})
}

// TestAskOfWhatHangs: a loop that hangs, the station's or the stack's, gives no picture of itself; one that has
// ended says so.
func TestAskOfWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", "")
		ask := func() error {
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
			defer stop()
			_, err := d.Ask(ctx)
			return err
		}
		if err := ask(); err != nil {
			t.Error(err)
		}
		for name, post := range map[string]func(func()){"station": d.box.Put, "stack": d.phone.Agent.Stack().Post} {
			hangs := make(chan struct{})
			post(func() { <-hangs })
			if err := ask(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the %s's loop hangs: %v", name, err)
			}
			close(hangs)
			if err := ask(); err != nil {
				t.Errorf("it goes on: %v", err)
			}
		}
		d.stop()
		if err := ask(); !errors.Is(err, ErrEnded) {
			t.Errorf("it has ended: %v", err)
		}
	})
}
