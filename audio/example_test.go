package audio_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"portero/audio"
	"portero/audio/rtp"
)

// Two ends of a call on one machine: each has a card without files, a socket and an engine. One dials, the
// other hears it.
func Example() {
	ctx, hangUp := context.WithCancel(context.Background())
	var engines sync.WaitGroup
	defer engines.Wait()
	defer hangUp()
	heard := make(chan rune, 2)

	loopback := netip.MustParseAddr("127.0.0.1")
	var conns [2]rtp.PacketConn
	for i := range conns {
		media, control, err := rtp.Listen(loopback, 0, 0)
		if err != nil {
			fmt.Println(err)
			return
		}
		control.Close() // RTCP shares the port
		conns[i] = media
	}

	var sessions [2]*audio.Session
	for i, conn := range conns {
		pcma := audio.Format{Codec: audio.PCMA, PayloadType: audio.PCMA.PayloadType}
		session, err := audio.NewSession(audio.SessionConfig{
			Conn: conn,
			Media: audio.Media{
				Remote: conns[1-i].LocalAddr(), RTCPMux: true,
				Send: pcma, Receive: []audio.Format{pcma}, EventPT: 101, EventPTRecv: 101,
			},
			OnDigit: func(d audio.Digit) { heard <- d.Rune },
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		card, err := audio.NewFileCard(audio.FileCardConfig{})
		if err != nil {
			fmt.Println(err)
			return
		}
		engine := audio.NewEngine(card.Open, audio.EngineOptions{Log: slog.New(slog.DiscardHandler)})
		engine.Attach(session)
		engines.Go(func() { _ = engine.Run(ctx) })
		sessions[i] = session
	}

	if err := sessions[0].SendDigits("5#"); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%c%c\n", <-heard, <-heard)

	for _, s := range sessions {
		s.Close()
	}
	// Output: 5#
}
