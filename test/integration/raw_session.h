// An iSCSI session by hand. Numbers, tags and lengths are right unless a test sets others.
#pragma once

#include "raw.h"

struct RawLogin {
  std::string initiator = "iqn.2026-11.local.test:raw";
  std::uint16_t isid = 0;         // the qualifier of a random ISID (80h)
  std::vector<std::string> keys;  // of the operational stage: each in place of the usual one
  std::string from = "127.0.0.1";
  std::uint32_t cmd_sn = 1;
};

enum class Way { kNone, kIn, kOut };

class RawSession : public RawConnection {
 public:
  // Logged in, in full feature phase; an empty target is a discovery session. Throws
  // std::runtime_error if it is refused, as everything here does that waits for an answer that does
  // not come.
  RawSession(std::uint16_t port, const std::string& target, const RawLogin& login = {});
  const ByteString& login_answer() const { return login_answer_; }  // key=value pairs
  std::uint16_t tsih() const { return tsih_; }
  // REQUEST SENSE until the unit attentions are gone: no reservation is in its way.
  void clear_unit_attentions();

  // Headers with the next task tag and, unless immediate, the next CmdSN.
  Header command(const ByteString& cdb, Way way = Way::kNone, std::uint32_t expected = 0);
  Header ping();  // wants an answer
  Header text();
  Header management(int function, std::uint32_t referenced_tag = 0xffffffff);  // immediate
  Header logout(int reason);
  Header data_out(const RawPdu& r2t, std::uint32_t data_sn, std::uint32_t offset, bool final);
  static Header immediate(Header header);  // and its CmdSN not used up; the last one only
  std::uint32_t last_tag() const { return next_tag_ - 1; }

  // Sends and waits for the end. A write's data goes with the command as far as `unasked` says, the
  // rest as it is asked for.
  CommandResult run(const Header& command, const ByteString& data = {},
                    std::size_t unasked = SIZE_MAX, const ByteString& ahs = {});
  CommandResult finish(std::uint32_t tag, const ByteString& data = {});
  // What the R2T asks for, out of a write's whole data.
  void answer(const RawPdu& r2t, const ByteString& data);
  // The next PDU that is no ping, which is answered; throws if it is of another kind.
  RawPdu expect(int opcode);
  std::optional<RawPdu> next(int timeout_ms = kPatience);
  // Sends it, wants a Reject that quotes the header, and gives its reason.
  int rejected(const Header& header, const ByteString& data = {}, const ByteString& ahs = {});
  // Sends the request, which is a task management function; its response.
  int manage(const Header& request);
  // What was sent before has no answer: that to a ping is the first to come.
  bool silent();
  bool alive();  // INQUIRY is answered

  int r2ts = 0;                            // that finish() met
  std::uint32_t largest_r2t = 0;           // bytes
  std::uint32_t largest_in = 0;            // bytes of one Data-In
  static constexpr int kPatience = 20000;  // milliseconds; sanitizers are slow

 private:
  ByteString login_answer_;
  std::uint16_t tsih_ = 0;
  std::uint32_t next_tag_ = 0x100;
};

inline constexpr int kNopIn = 0x20, kScsiResponse = 0x21, kManagementResponse = 0x22,
                     kLoginResponse = 0x23, kTextResponse = 0x24, kDataIn = 0x25,
                     kLogoutResponse = 0x26, kR2t = 0x31, kAsync = 0x32, kReject = 0x3f;

std::uint32_t number_at(const ByteString& bytes, std::size_t at, std::size_t width = 4);
// CDBs with a length: READ(6), WRITE(6) of one block.
ByteString read6(std::size_t length);
ByteString write6(std::size_t length);
ByteString text_of(const std::vector<std::string>& pairs);  // with a NUL after each
