// The loops that share out a server's devices. The first one is the caller's own: it has the
// changer, accepts connections and speaks for all of them. One loop is the simplest case.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "vtl/daemon/device_loop.h"
#include "vtl/daemon/settings.h"
#include "vtl/library/drive_bay.h"

namespace vtl::daemon {

// The first loop's thread. Every `done` is called there; none from inside the call.
class DeviceLoops {
 public:
  // `changer`: its unit may be added later, before connections are taken. `reservations` outlives
  // the loops.
  DeviceLoops(const config::Config& config, const auth::AccessPolicy& access, bool pool_in_memory,
              std::size_t loops, scsi::Target& changer, const ReservationFolder& reservations);
  ~DeviceLoops();
  DeviceLoops(const DeviceLoops&) = delete;
  DeviceLoops& operator=(const DeviceLoops&) = delete;

  std::size_t size() const { return all_.size(); }
  net::Loop& home() { return all_.front()->loop(); }
  net::Sockets& sockets() { return all_.front()->sockets(); }  // of connections that come in
  std::unique_ptr<iscsi::Connection> accept(std::string local, std::string peer,
                                            std::vector<std::string> others);

  // What the library reaches the drives by, and the executors for the media in them; one a drive,
  // from drive `first` on.
  std::vector<std::unique_ptr<DriveBay>> bays(std::size_t first = 0);
  std::vector<Executor*> executors(std::size_t first = 0);
  // So many more drives, while the loops run: "", or why not.
  std::string room_for(std::size_t more_drives) const;
  // Makes the drives that `library` has and the loops do not. One call at a time.
  void add_drives(const config::LibraryConfig& library, scsi::Callback done);

  // Runs the others, each on a thread of its own; the caller runs home().
  void start();
  // Ends their threads, and with them whatever is still under way there.
  void stop();
  // And lets go of all connections and drives; home() stays.
  void clear();

  // Of all loops together: sessions by target, drives by number.
  void report(scsi::Done<DeviceLoop::Report> done);
  // Who may log in from now on, on every loop before `done` is called; `done` gets the sessions
  // that would not be let in any more. They go on, unless `end_them`.
  void set_access(std::shared_ptr<const auth::AccessPolicy> access, bool end_them,
                  scsi::Done<std::vector<iscsi::Portal::SessionInfo>> done);
  // Hosts are asked to log out, and nobody logs in any more.
  void shut_down();
  void drop_connections();
  std::size_t connections() const;  // on every loop
  // Called whenever the last connection has gone.
  void on_idle(std::function<void()> idle);
  void stop_drives(scsi::Done<std::vector<DeviceLoop::DriveEnd>> done);

 private:
  NewDrive new_drive(const config::LibraryConfig& library, std::size_t number) const;
  // What a drive's sessions may keep in reserve, taken out of what its loop has left; 0: too
  // little.
  std::size_t take_reserve(std::size_t drive, std::vector<std::size_t>& left) const;
  void carry(net::Socket::Departure departure);
  void idle();
  DeviceLoop& loop_of(std::size_t drive) const;
  void on_each(void (*what)(DeviceLoop&));

  // Puts the question to every loop and gives the answers, in the order of the loops.
  template <class Answer, class Question>
  void ask(Question question, scsi::Done<std::vector<Answer>> done);

  std::vector<std::unique_ptr<DeviceLoop>> all_;
  std::vector<std::thread> threads_;
  // Of each loop: what more drives can have, and what sessions are told.
  std::vector<std::size_t> left_for_reserves_;
  std::vector<iscsi::PortalOptions> options_;
  std::size_t drives_;
  std::function<void()> idle_;
};

}  // namespace vtl::daemon
