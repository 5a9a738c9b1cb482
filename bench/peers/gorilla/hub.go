// The hub: one goroutine that owns who is subscribed to what, fed by three channels.
package main

import "sync/atomic"

type subscription struct {
	client  *client
	channel string
}

type publication struct {
	channel string
	payload []byte
}

type hub struct {
	channels   map[string]map[*client]bool
	register   chan subscription
	unregister chan *client
	broadcast  chan publication
}

func newHub() *hub {
	return &hub{
		channels:   make(map[string]map[*client]bool),
		register:   make(chan subscription),
		unregister: make(chan *client),
		broadcast:  make(chan publication),
	}
}

func (h *hub) run() {
	for {
		select {
		case s := <-h.register:
			if s.client.gone {
				continue
			}
			if h.channels[s.channel] == nil {
				h.channels[s.channel] = make(map[*client]bool)
			}
			h.channels[s.channel][s.client] = true
			s.client.channels = append(s.client.channels, s.channel)
			h.hand(s.client, encode(negocioOf(s.channel), atomic.LoadInt64(&seq)))
		case c := <-h.unregister:
			h.remove(c)
		case p := <-h.broadcast:
			for c := range h.channels[p.channel] {
				h.hand(c, p.payload)
			}
		}
	}
}

// A client whose buffer is full is too slow, and ends.
func (h *hub) hand(c *client, payload []byte) {
	select {
	case c.send <- payload:
	default:
		h.remove(c)
	}
}

func (h *hub) remove(c *client) {
	if c.gone {
		return
	}
	c.gone = true
	for _, channel := range c.channels {
		delete(h.channels[channel], c)
		if len(h.channels[channel]) == 0 {
			delete(h.channels, channel)
		}
	}
	close(c.send)
}
