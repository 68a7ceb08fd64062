package main

import (
	"fmt"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// written is how much of a list is gathered before it is written.
const written = 256 << 10

// collection lists or watches.
func (s *store) collection(c collection) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		w.Header().Set("Content-Type", "application/json")
		if query.Get("watch") != "true" && query.Get("watch") != "1" {
			_ = s.list(w, c) // whoever asked hung up
			return
		}
		from, err := strconv.Atoi(query.Get("resourceVersion"))
		initial := query.Get("sendInitialEvents") == "true"
		if err != nil && !initial {
			fail(w, apierrors.NewBadRequest("resourceVersion: a watch needs one, or sendInitialEvents=true"))
			return
		}
		out := &stream{w: w, flush: http.NewResponseController(w).Flush}
		if initial {
			from = s.now() // what changes meanwhile is sent again
			if out.initial(c, from) != nil {
				return
			}
		}
		s.follow(out, r, c, from)
	}
}

func (s *store) list(w http.ResponseWriter, c collection) error {
	buf := fmt.Appendf(nil, `{"kind":"%sList","apiVersion":"%s","metadata":{"resourceVersion":"%d"},"items":[`, c.kind, c.apiVersion, s.now())
	for i := range c.length {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = c.object(buf, i)
		if len(buf) >= written {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(append(buf, "]}\n"...))
	return err
}

// follow writes changes until the watch's time is over.
func (s *store) follow(out *stream, r *http.Request, c collection, from int) {
	if out.flush() != nil {
		return // even without an event there is an answer
	}
	end := endOf(r)
	for {
		var changes []change
		var more <-chan struct{}
		if c.changing {
			changes, more = s.since(from)
		}
		for _, c := range changes {
			from = c.version
			if out.event("MODIFIED", func(b []byte) []byte { return s.appendChange(b, c) }) != nil {
				return
			}
		}
		if len(changes) > 0 {
			if out.write() != nil {
				return
			}
			s.sent.Add(int64(len(changes)))
			continue // there may be more by now
		}
		select {
		case <-r.Context().Done():
			return
		case <-end:
			return
		case <-more:
		}
	}
}

// stream is a watch's answer.
type stream struct {
	w     http.ResponseWriter
	flush func() error
	buf   []byte
}

// initial sends everything, and the bookmark that ends it (KEP-3157).
func (o *stream) initial(c collection, revision int) error {
	for i := range c.length {
		if err := o.event("ADDED", func(b []byte) []byte { return c.object(b, i) }); err != nil {
			return err
		}
	}
	err := o.event("BOOKMARK", func(b []byte) []byte {
		return fmt.Appendf(b, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d","annotations":{%q:"true"}}}`,
			c.kind, c.apiVersion, revision, metav1.InitialEventsAnnotationKey)
	})
	if err != nil {
		return err
	}
	return o.write()
}

// event adds an event, and writes if there is much to write.
func (o *stream) event(kind string, object func([]byte) []byte) error {
	o.buf = append(o.buf, `{"type":"`...)
	o.buf = append(o.buf, kind...)
	o.buf = append(o.buf, `","object":`...)
	o.buf = append(object(o.buf), '}', '\n')
	if len(o.buf) < written {
		return nil
	}
	return o.write()
}

func (o *stream) write() error {
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	if err != nil {
		return err
	}
	return o.flush()
}
