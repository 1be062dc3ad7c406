package config

import "portero/board"

// BellInput and DoorRelay are the names of a bell's input and a door's relay on the board.
func BellInput(bell string) string { return "bell:" + bell }

// DoorRelay is the board's name of a door's relay.
func DoorRelay(door string) string { return "door:" + door }

// BoardConfig gives the board's lines: an input for each bell, a relay for each door whose lease is the door's ceiling.
func (c *Config) BoardConfig() board.Config {
	bc := board.Config{Sim: c.Board.Sim}
	for _, b := range c.Bells {
		bc.Inputs = append(bc.Inputs, board.Input{Name: BellInput(b.Name), Line: b.Line, ActiveLow: b.ActiveLow,
			Bias: board.Bias(b.Bias), Debounce: b.Debounce, StuckAfter: b.StuckAfter})
	}
	for _, d := range c.Doors {
		bc.Relays = append(bc.Relays, board.Output{Name: DoorRelay(d.Name), Line: d.Line, ActiveLow: d.ActiveLow, MaxOn: d.Longest})
	}
	return bc
}
