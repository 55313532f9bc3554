#include "vtl/interchange/import.h"

#include "vtl/interchange/streams.h"

namespace vtl::interchange {

namespace {

std::string incoming_of(const std::string& pool_dir) { return pool_dir + "/.incoming"; }

Report failed(Report report, const std::string& error) {
  report.error = error;
  return report;
}

// A pool of one cartridge: so that it is made by the same hands as every other.
Report fill(FileSystem& files, const std::string& staging, const CartridgeSpec& spec,
            const Format& format, const std::string& path, const ImportOptions& options,
            const Progress& progress) {
  PoolSpec pool;
  pool.uuid = spec.uuid;
  pool.created_ns = spec.created_ns;
  Status status = create_pool(files, staging, pool);
  if (status) status = create_cartridge(files, staging, spec);
  if (!status) return failed({}, status.error().what);
  auto writer = CartridgeWriter::open(files, cartridge_directory(staging, spec.barcode),
                                      CartridgeWriter::At::kBeginning);
  if (!writer) return failed({}, writer.error().what);
  Report report = format.import_tape(files, path, options, **writer, progress);
  if (!report.ok()) return report;
  if (const Status done = (*writer)->finish(); !done)
    return failed(std::move(report), done.error().what);
  return report;
}

}  // namespace

Report import_cartridge(FileSystem& files, const std::string& pool_dir, const CartridgeSpec& spec,
                        const Format& format, const std::string& path, const ImportOptions& options,
                        const Progress& progress) {
  const std::string place = cartridge_directory(pool_dir, spec.barcode);
  const auto taken = files.exists(place);
  if (!taken || *taken)
    return failed({}, taken ? "barcode " + spec.barcode + " is taken already" : taken.error().what);
  const std::string staging = incoming_of(pool_dir) + '/' + spec.barcode;
  remove_tree(files, staging);
  if (const Status made = files.make_directory(incoming_of(pool_dir)); !made)
    return failed({}, made.error().what);

  Report report = fill(files, staging, spec, format, path, options, progress);
  if (report.ok()) {
    Status done = files.rename(cartridge_directory(staging, spec.barcode), place);
    if (done) done = files.sync_directory(folder_of(place));
    if (!done) report.error = done.error().what;
  }
  remove_tree(files, staging);
  return report;
}

Report export_cartridge(FileSystem& files, const std::string& cartridge_dir, const Format& format,
                        const std::string& path, const ExportOptions& options,
                        const Progress& progress) {
  auto reader = CartridgeReader::open(files, cartridge_dir);
  if (!reader) return failed({}, reader.error().what);
  return format.export_tape(files, **reader, path, options, progress);
}

void clear_incoming(FileSystem& files, const std::string& pool_dir) {
  const std::string dir = incoming_of(pool_dir);
  const auto names = files.list(dir);
  if (!names) return;
  const std::string trash = pool_dir + "/trash/import-";
  unsigned number = 0;
  for (const std::string& name : *names) {
    auto taken = files.exists(trash + std::to_string(number));
    while (taken && *taken) taken = files.exists(trash + std::to_string(++number));
    (void)files.rename(dir + '/' + name, trash + std::to_string(number));
  }
}

}  // namespace vtl::interchange
