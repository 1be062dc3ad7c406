package device

import (
	"context"
	"errors"
	"fmt"

	"portero/device/access"
)

// Why a command was not done.
var (
	ErrEnded     = errors.New("device: the station has ended")
	ErrNoBell    = errors.New("device: no such bell")
	ErrNoCall    = errors.New("device: there is no call")
	ErrNoRinging = errors.New("device: nobody rings at the door")
)

// Command is something that the station can be told to do.
type Command interface{ do(*Station) error }

// Press presses a bell as a finger would; "" presses the first. ErrNoBell.
type Press struct{ Bell string }

// HangUp ends the call, whoever placed it. ErrNoCall.
type HangUp struct{}

// Answer answers the call that rings at the door; those at the door hear a signal first. ErrNoRinging.
type Answer struct{}

// Refuse refuses the call that rings at the door. ErrNoRinging.
type Refuse struct{}

// OpenDoor opens a door, for a named reason. The errors are those of access.Doors.Open.
type OpenDoor struct{ access.Opening }

// Do has the station do a command and returns how that went; an error of ctx says that it is not known. Any
// goroutine may call it but the station's and the stack's loops.
func (s *Station) Do(ctx context.Context, c Command) error {
	answer := make(chan error, 1)
	s.box.Put(func() { answer <- c.do(s) })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
	}
	select {
	case err := <-answer: // the last thing that it did
		return err
	default:
		return ErrEnded
	}
}

func (p Press) do(s *Station) error {
	for i := range s.cfg.Bells {
		if b := &s.cfg.Bells[i]; p.Bell == "" || b.Name == p.Bell {
			s.press(b)
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrNoBell, p.Bell)
}

func (HangUp) do(s *Station) error {
	if s.visit == nil {
		return ErrNoCall
	}
	s.step(onHangUp, input{reason: "asked to"})
	return nil
}

func (Answer) do(s *Station) error {
	if s.state != RingingIn {
		return ErrNoRinging
	}
	s.step(onAnswer, input{})
	return nil
}

func (Refuse) do(s *Station) error {
	if s.state != RingingIn {
		return ErrNoRinging
	}
	s.step(onHangUp, input{reason: "refused at the door"})
	return nil
}

func (o OpenDoor) do(s *Station) error { return s.doors.Open(o.Opening) }
