/* SPDX-License-Identifier: Apache-2.0
 *
 * A chat with rooms, in C++: the path is the room, and the query is who speaks. What one says, all
 * in the room hear, on every worker; "/who" is answered with how many are there.
 * Usage: chat_server_cpp [port]; ends with its standard input.
 *        ws://127.0.0.1:8080/kitchen?Ada
 */
#include <cstdlib>
#include <iostream>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <wring/wring.hpp>

/* How many are in each room. All sessions share it, and so do all workers. */
class house {
  public:
    int change(const std::string &room, int by) {
        const std::lock_guard<std::mutex> hold(lock);
        return guests[room] += by;
    }

  private:
    std::mutex lock;
    std::map<std::string, int> guests;
};

/* The state of a session. It is built when the session opens and destroyed when it has ended. */
class guest {
  public:
    guest(wring::session session, const wring::request &request, house &all)
        : rooms(all), room(request.path()), name(request.query()) {
        session.subscribe(room).throw_if_error(); /* an exception closes the session with 1011 */
        rooms.change(room, 1);
    }
    ~guest() { rooms.change(room, -1); }

    void on_open(wring::session session, const wring::request &) { tell(session, " is here"); }
    void on_close(wring::session session, const wring_end &) { tell(session, " has left"); }

    wring::verdict on_message(wring::session session, const wring::message &message) {
        if (!message.is_text()) {
            return wring::verdict::proceed;
        }
        if (message.text() == "/who") {
            const std::string count = std::to_string(rooms.change(room, 0)) + " here";
            return session.send(wring::text(count)).or_stop();
        }
        tell(session, ": " + message.bytes().to_string());
        return wring::verdict::proceed;
    }

  private:
    /* Who misses it is told by the server's slow policy; while it stops, nobody hears it. */
    void tell(wring::session session, const std::string &what) {
        session.server().publish(room, wring::text(name + what)).ignore();
    }

    house &rooms;
    std::string room;
    std::string name;
};

int main(int argc, char **argv) {
    try {
        house rooms;
        const unsigned long port = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 8080;
        wring::server_config config(static_cast<std::uint16_t>(port));
        config.serve<guest>(rooms);
        wring::server server(std::move(config));
        server.start();
        std::cout << "listening on port " << server.port() << std::endl;
        std::cin.ignore(std::numeric_limits<std::streamsize>::max());
    } catch (const wring::error &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
