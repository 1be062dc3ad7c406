package registrar_test

import (
	"context"
	"fmt"
	"log"

	"portero/sip"
	"portero/sip/registrar"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/ua"
)

// Example registers a phone at a server. On a host of its own each would have a transport of
// transport.ListenUDP in place of the test network's.
func Example() {
	network := siptest.NewNetwork(1)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	start := func(core transaction.Core, addr string) {
		stack := transaction.NewStack(transaction.Config{}, core, network.Listen(addr))
		go func() { ended <- stack.Run(ctx) }()
	}

	server, err := registrar.New(registrar.Config{
		Domains: []string{"portero.local"},
		Users:   []registrar.User{{Name: "kitchen", Password: "a long one"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	server.OnRegister(func(user string, contacts int) {
		fmt.Printf("server: %s has %d contacts\n", user,
			contacts)
	})
	start(server, "10.0.0.9:5060")

	phone := ua.New(ua.Config{})
	start(phone, "10.0.0.2:5060")
	events := make(chan ua.RegEvent)
	phone.Register(ua.NewAccount(ua.AccountConfig{
		AOR:      sip.URI{Scheme: "sip", User: "kitchen", Host: "portero.local"},
		Server:   sip.URI{Scheme: "sip", Host: "10.0.0.9"},
		Password: "a long one",
	}), func(ev ua.RegEvent) { events <- ev })
	if ev := <-events; ev.Registered {
		fmt.Printf("phone: registered %s for %v\n", ev.Contact.URI, ev.Expires)
	}
	for _, b := range server.Bindings() {
		fmt.Printf("server: %s is at %s\n", b.User, b.Source)
	}

	go func() { <-events }() // it is registered no more
	phone.Shutdown(stop)
	for range 2 {
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// server: kitchen has 1 contacts
	// phone: registered sip:kitchen@10.0.0.2:5060 for 10m0s
	// server: kitchen is at 10.0.0.2:5060
	// server: kitchen has 0 contacts
}
