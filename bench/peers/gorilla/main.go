// The shape of the Go server that Pulso replaces: a hub, and two goroutines a client.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const length = 208

type stats struct {
	Negocio     string `json:"negocio_id"`
	Hoy         int    `json:"citas_hoy"`
	Total       int    `json:"total_citas"`
	Completadas int    `json:"citas_completadas"`
	Canceladas  int    `json:"citas_canceladas"`
	Timestamp   int64  `json:"timestamp"`
}

// The number of broadcasts so far.
var seq int64

// A message, always of the same length: blanks before `seq` make up for short figures.
func encode(negocio string, number int64) []byte {
	data, _ := json.Marshal(stats{negocio, 12, 156, 142, 8, time.Now().Unix()})
	tail := fmt.Sprintf(`"seq":%d}`, number)
	return []byte(fmt.Sprintf("%-*s%s", length-len(tail), `{"type":"stats","data":`+string(data)+",", tail))
}

func negocioOf(channel string) string { return strings.TrimPrefix(channel, "estadisticas:") }

func main() {
	h := newHub()
	go h.run()
	// Who takes a number hands over its message before the next does.
	var order sync.Mutex
	http.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { serveWs(h, w, r) })
	http.HandleFunc("/notify/cita", func(w http.ResponseWriter, r *http.Request) {
		var notice struct {
			Negocio string `json:"negocio_id"`
		}
		if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&notice) != nil {
			http.Error(w, "not a notice", http.StatusBadRequest)
			return
		}
		order.Lock()
		number := atomic.AddInt64(&seq, 1)
		h.broadcast <- publication{"estadisticas:" + notice.Negocio, encode(notice.Negocio, number)}
		order.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"seq":%d}`, number)
	})
	// Go takes the backlog from net.core.somaxconn and sets TCP_NODELAY by itself.
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, nil))
}
