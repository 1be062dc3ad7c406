package board

// LineUser is a line of a configuration and where it is.
type LineUser struct {
	Kind   string // "input", "relay", "lamp"
	Name   string // the Input's or Output's
	Line   string // as configured
	Chip   string // "gpiochip0"; "" when it was not found: Check says why
	Offset int
}

// LineUsers finds the lines of a configuration among the chips, without touching them.
func LineUsers(chips []Chip, c Config) []LineUser {
	reqs := c.requests()
	places, _ := place(chips, c.relabelled(chips, false).requests())
	users := make([]LineUser, len(reqs))
	for i, r := range reqs {
		users[i] = LineUser{Kind: r.kind, Name: r.name, Line: r.line}
		if at := places[i]; at.chip != nil {
			users[i].Chip, users[i].Offset = at.chip.Name, at.line.Offset
		}
	}
	return users
}
