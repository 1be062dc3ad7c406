package ua_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"portero/sip"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
	"portero/sip/ua"
)

// Example calls one agent from another. On a host of its own each would have a transport of
// [transport.ListenUDP] in place of the test network's.
func Example() {
	network := siptest.NewNetwork(1)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	start := func(a *ua.Agent, addr string) {
		stack := transaction.NewStack(transaction.Config{UserAgent: "example"}, a, network.Listen(addr))
		go func() { ended <- stack.Run(ctx) }()
	}

	kitchen := ua.New(ua.Config{
		Allow: func(transport.Flow, *sip.Request) int { return 0 }, // anybody may call
		Incoming: func(_ *ua.Call, ev ua.CallEvent) {
			if ev.Kind == ua.Offered {
				fmt.Printf("kitchen: %s from %s\n", ev.Kind, ev.From.URI)
				ev.Leg.Answer([]byte("v=0 (the answer)"))
			}
		},
	})
	start(kitchen, "10.0.0.2:5060")
	door := ua.New(ua.Config{})
	start(door, "10.0.0.1:5060")

	to, err := sip.ParseURI("sip:kitchen@10.0.0.2")
	if err != nil {
		log.Fatal(err)
	}
	over := make(chan bool)
	door.Invite(ua.Invite{
		To:   to,
		From: sip.URI{Scheme: "sip", User: "door", Host: "10.0.0.1"},
		Offer: ua.OfferNow(func(local netip.Addr, _ transport.Target) ([]byte, error) {
			return fmt.Appendf(nil, "v=0 (an offer of %s)", local), nil
		}),
	}, func(c *ua.Call, ev ua.CallEvent) { // on the stack's loop: it must not block
		switch ev.Kind {
		case ua.Answered:
			fmt.Printf("door: %s with %q\n", ev.Kind, ev.Body)
			c.Hangup()
		case ua.Ended:
			fmt.Printf("door: %s, %s\n", ev.Kind, ev.Reason)
			close(over)
		}
	})
	<-over
	door.Shutdown(stop) // once the kitchen has confirmed the BYE
	for range 2 {
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// kitchen: offered from sip:door@10.0.0.1
	// door: answered with "v=0 (the answer)"
	// door: ended, hung up
}
