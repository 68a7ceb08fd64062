package stack

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// service forwards connections to the first of its endpoints that takes them, as a
// Service does where there is a network of Pods.
type service struct {
	listener net.Listener

	mu          sync.Mutex // guards what follows
	endpoints   []string
	connections map[net.Conn]bool
}

func startService(ctx context.Context) (*service, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &service{listener: listener, connections: map[net.Conn]bool{}}
	go s.accept()
	return s, nil
}

// port is where it listens.
func (s *service) port() int { return port(s.listener.Addr().String()) }

// add adds an endpoint, whether it listens already or not.
func (s *service) add(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints = append(s.endpoints, address)
}

func (s *service) stop() error {
	err := s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.connections {
		_ = c.Close() // also closed by whoever forwards
	}
	return err
}

func (s *service) accept() {
	for {
		client, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go s.forward(client)
		}
	}
}

func (s *service) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	s.mu.Lock()
	endpoints := slices.Clone(s.endpoints)
	s.mu.Unlock()
	for _, address := range endpoints {
		server, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			continue // not running
		}
		s.join(client, server)
		return
	}
}

// join copies both ways until one of them ends, which ends the other.
func (s *service) join(client, server net.Conn) {
	s.mu.Lock()
	s.connections[client], s.connections[server] = true, true
	s.mu.Unlock()
	ended := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // an end is an end
			ended <- struct{}{}
		}()
	}
	<-ended
	_, _ = client.Close(), server.Close()
	<-ended
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, client)
	delete(s.connections, server)
}
