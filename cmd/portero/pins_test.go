package main

import (
	"strings"
	"testing"

	"portero/board"
)

func TestListPins(t *testing.T) {
	chips := []board.Chip{{Name: "gpiochip0", Label: "pinctrl-bcm2711", Lines: []board.Line{
		{Offset: 0, Name: "GPIO0"}, {Offset: 1, Name: "GPIO1", Consumer: "spi0 CS1", Used: true, Output: true}, {Offset: 2, Name: "GPIO2"}}}}
	users := board.LineUsers(chips, board.Config{Inputs: []board.Input{{Name: "bell:front", Line: "GPIO2"}}, Relays: []board.Output{{Name: "door:front", Line: "GPIO27"}}})
	var out strings.Builder
	if err := listPins(&out, chips, users); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gpiochip0  pinctrl-bcm2711",
		`1  GPIO1  line = "GPIO1"  output    spi0 CS1`, "<- input bell:front", `relay door:front: line "GPIO27" is not here`} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "),
			strings.Join(strings.Fields(want), " ")) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
