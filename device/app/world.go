package app

import (
	"io"
	"net/netip"

	"portero/board"
	"portero/device/config"
	"portero/device/media"
	"portero/sip/transport"
)

// Listener is a transport that listens at an address until it is closed.
type Listener interface {
	transport.Transport
	Addr() netip.AddrPort
	io.Closer
}

// World is what a station needs of the machine. What is nil is the machine's own.
type World struct {
	OpenBoard  func(board.Config) (*board.Board, error)
	CheckBoard func(board.Config) []error
	ListenSIP  func(addr string) (Listener, error)
	ListenRTP  media.Listen
	OpenCard   func(config.Audio) (*Card, error)
}

func (w World) complete() World {
	if w.OpenBoard == nil {
		w.OpenBoard = board.Open
	}
	if w.CheckBoard == nil {
		w.CheckBoard = board.Check
	}
	if w.ListenSIP == nil {
		w.ListenSIP = func(addr string) (Listener, error) { return transport.ListenUDP(addr) }
	}
	if w.OpenCard == nil {
		w.OpenCard = NewCard
	}
	return w
}
