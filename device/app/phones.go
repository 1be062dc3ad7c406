package app

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"portero/device/config"
	"portero/device/durable"
	"portero/sip/registrar"
)

// phones keeps on the medium who is registered at the built-in server, so that a bell rings the phones right after a power cut.
type phones struct {
	users   *registrar.Server
	path    string
	log     *slog.Logger
	changed chan struct{}
}

// keepPhones listens to the server from now on; Run does the writing. tell hears how many contacts a user has.
func keepPhones(users *registrar.Server, dir string, log *slog.Logger, tell func(user string, contacts int)) *phones {
	p := &phones{users: users, path: filepath.Join(dir, "phones.json"), log: log, changed: make(chan struct{}, 1)}
	users.OnRegister(func(user string, contacts int) {
		if user == config.StationUser { // is here as long as we are
			return
		}
		tell(user, contacts)
		select {
		case p.changed <- struct{}{}:
		default: // Run will see this one, too
		}
	})
	return p
}

// Load gives the server what the process before has left. Without it the phones are unknown until they register again, no more.
func (p *phones) Load() {
	data, err := os.ReadFile(p.path)
	if err == nil {
		err = p.users.Load(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.log.Warn("the phones at the built-in server are unknown until they register again", "err", err)
	}
}

// phonesPause spares the medium a phone that comes from another port at each registration.
const phonesPause = 30 * time.Second

// Run writes each change until ctx ends, and the last one then.
func (p *phones) Run(ctx context.Context) error {
	changed := p.changed
	var pause <-chan time.Time
	for {
		select {
		case <-changed:
			p.save()
			changed, pause = nil, time.After(phonesPause)
		case <-pause:
			changed = p.changed
		case <-ctx.Done():
			select {
			case <-p.changed:
				p.save()
			default:
			}
			return nil
		}
	}
}

func (p *phones) save() {
	data, err := p.users.Save()
	if err == nil {
		err = durable.Write(p.path, data)
	}
	if err != nil {
		p.log.Warn("after a power cut the phones would be unknown until they register again", "err", err)
	}
}
