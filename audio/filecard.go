package audio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// FileCardConfig describes a sound card made of files.
type FileCardConfig struct {
	Rate    int           // Hz; 0: 48000
	Period  time.Duration // 0: 20 ms
	Capture string        // WAV file for the microphone, from the first full-duplex use on; empty: silence
	Loop    bool          // and again from its start; else silence follows
	Record  string        // WAV file that takes what the loudspeaker plays; empty: nothing
}

// FileCard stands in for a sound card where there is none: it runs at the pace of the monotonic clock.
type FileCard struct {
	rate, period int
	loop         bool

	mu      sync.Mutex
	capture []int16
	at      int
	file    *os.File
	record  *WAVWriter
}

// NewFileCard reads the file to capture and creates the one to record; Close completes it.
func NewFileCard(c FileCardConfig) (*FileCard, error) {
	if c.Rate == 0 {
		c.Rate = 48000
	}
	if c.Period == 0 {
		c.Period = 20 * time.Millisecond
	}
	period := int(int64(c.Rate) * int64(c.Period) / int64(time.Second))
	f := &FileCard{rate: c.Rate, period: period, loop: c.Loop}
	if f.period < 1 || f.period > f.rate {
		return nil, fmt.Errorf("audio: file card of %d Hz with a period of %v", c.Rate, c.Period)
	}
	if c.Capture != "" {
		clip, err := LoadWAV(c.Capture)
		if err != nil {
			return nil, err
		}
		if clip, err = clip.Resample(c.Rate); err != nil {
			return nil, err
		}
		f.capture = clip.Samples
	}
	if c.Record != "" {
		file, err := os.Create(c.Record)
		if err != nil {
			return nil, fmt.Errorf("audio: record: %w", err)
		}
		if f.record, err = NewWAVWriter(file, c.Rate); err != nil {
			file.Close()
			return nil, err
		}
		f.file = file
	}
	return f, nil
}

// Open is an Opener.
func (f *FileCard) Open(_ context.Context, use Use) (Duplex, error) {
	return &FileDuplex{card: f, use: use, start: time.Now(), done: make(chan struct{})}, nil
}

// Close completes the recording.
func (f *FileCard) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.record == nil {
		return nil
	}
	err := errors.Join(f.record.Close(), f.file.Close())
	f.record = nil
	return err
}

// move is one period of both files.
func (f *FileCard) move(play, capture []int16) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(capture) > 0 {
		if f.at == len(f.capture) {
			if f.at == 0 || !f.loop {
				clear(capture)
				break
			}
			f.at = 0
		}
		n := copy(capture, f.capture[f.at:])
		f.at += n
		capture = capture[n:]
	}
	if f.record == nil {
		return nil
	}
	return f.record.Write(play)
}

// FileDuplex is an open FileCard.
type FileDuplex struct {
	card  *FileCard
	use   Use
	start time.Time
	n     int64 // periods
	once  sync.Once
	done  chan struct{}
}

var errCardClosed = errors.New("audio: card is closed")

// Rate returns the rate in Hz.
func (d *FileDuplex) Rate() int { return d.card.rate }

// Period returns the frames per Exchange.
func (d *FileDuplex) Period() int { return d.card.period }

// Exchange waits for the end of the period, in a system call: it does not run in a testing/synctest bubble.
// If the machine was held up for more than 100 ms, the time is reported as lost.
func (d *FileDuplex) Exchange(play, capture []int16) (Slip, error) {
	d.n++
	due := d.start.Add(time.Duration(d.n * int64(d.card.period) * int64(time.Second) / int64(d.card.rate)))
	wait := time.Until(due)
	var slip Slip
	if wait > 0 {
		sleep(wait)
	} else if late := -wait; late > 100*time.Millisecond {
		lost := int(int64(late) * int64(d.card.rate) / int64(time.Second))
		slip = Slip{Captured: lost, Played: lost}
		d.start = d.start.Add(late)
	}
	select {
	case <-d.done:
		return Slip{}, errCardClosed
	default:
	}
	if d.use != FullDuplex {
		capture = nil
	}
	return slip, d.card.move(play, capture)
}

// Close ends Exchange with its period; the card stays, and may be opened again.
func (d *FileDuplex) Close() error {
	d.once.Do(func() { close(d.done) })
	return nil
}

func sleep(d time.Duration) {
	for end := time.Now().Add(d); d > 0; d = time.Until(end) {
		_, _ = Poll(nil, d)
	}
}
