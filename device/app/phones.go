package app

import (
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

// phones keeps on the medium who is registered at the built-in server, so that a bell rings the phones right
// after a power cut.
type phones struct {
	users *registrar.Server
	path  string
	log   *slog.Logger
	*durable.Keeper
}

// keepPhones listens to the server from now on; Run does the writing. tell hears how many contacts a user
// has.
func keepPhones(users *registrar.Server, dir string, log *slog.Logger, tell func(user string, contacts int)) *phones {
	p := &phones{users: users, path: filepath.Join(dir, "phones.json"), log: log}
	p.Keeper = durable.NewKeeper(p.path, phonesPause, func() (data []byte, until time.Time, err error) {
		data, err = users.Save()
		return data, until, err
	}, func(err error) {
		log.Warn("phones file not written", "part", "server",
			"loss", "after a power cut phones are unknown until they register again", "err", err)
	})
	users.OnRegister(func(user string, contacts int) {
		if user != config.StationUser { // which is here as long as we are
			tell(user, contacts)
			p.Changed()
		}
	})
	return p
}

// Load gives the server what the process before has left. Without it the phones are unknown until they
// register again, no more.
func (p *phones) Load() {
	data, err := os.ReadFile(p.path)
	if err == nil {
		err = p.users.Load(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.log.Warn("phones file not read", "part", "server",
			"loss", "phones are unknown until they register again", "err", err)
	}
}

// phonesPause spares the medium a phone that comes from another port at each registration.
const phonesPause = 30 * time.Second
