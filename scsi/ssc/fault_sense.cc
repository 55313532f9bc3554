#include "scsi/ssc/fault_sense.h"

namespace scsi::ssc {

Sense sense_of(const MediumFault& fault) {
  switch (fault.kind) {
    case MediumFault::Kind::kWriteError:
      return Sense::make(SenseKey::kMediumError, Asc::kWriteError);
    case MediumFault::Kind::kReadError:
      return Sense::make(SenseKey::kMediumError, Asc::kUnrecoveredReadError);
    case MediumFault::Kind::kObjectMissing:
      return Sense::make(SenseKey::kMediumError, Asc::kRecordNotFound);
    case MediumFault::Kind::kNoSpace: {
      // A full pool looks like a full cartridge: backup software asks for the next one and freezes
      // nothing.
      Sense sense = Sense::make(SenseKey::kVolumeOverflow, Asc::kEndOfPartitionDetected);
      sense.end_of_medium = true;
      return sense;
    }
    case MediumFault::Kind::kIncompatibleFormat:
      return Sense::make(SenseKey::kMediumError, Asc::kIncompatibleMediumFormat);
    case MediumFault::Kind::kFormatCorrupt:
      return Sense::make(SenseKey::kMediumError, Asc::kMediumFormatCorrupted);
    case MediumFault::Kind::kInUse:
      return Sense::not_ready(Asc::kManualInterventionRequired);
    case MediumFault::Kind::kAttributeStore:
      return Sense::make(SenseKey::kMediumError, Asc::kMamWriteError);
  }
  return Sense::make(SenseKey::kHardwareError, Asc::kInternalTargetFailure);
}

Sense sense_of(CipherRefusal refusal) {
  const auto protect = [](Asc asc) { return Sense::make(SenseKey::kDataProtect, asc); };
  switch (refusal) {
    case CipherRefusal::kNoKey:
      return protect(Asc::kUnableToDecryptData);
    case CipherRefusal::kNotEncrypted:
      return protect(Asc::kUnencryptedDataWhileDecrypting);
    case CipherRefusal::kWrongKey:
      return protect(Asc::kIncorrectDataEncryptionKey);
    case CipherRefusal::kTampered:
      return protect(Asc::kCryptographicIntegrityValidationFailed);
    case CipherRefusal::kModeMismatch:
      return protect(Asc::kEncryptionModeMismatchOnRead);
    case CipherRefusal::kNotRaw:
      return protect(Asc::kEncryptedBlockNotRawReadEnabled);
    case CipherRefusal::kNotCiphertext:
      return protect(Asc::kIncorrectEncryptionParameters);
    case CipherRefusal::kNone:
      break;
  }
  return Sense::make(SenseKey::kHardwareError, Asc::kInternalTargetFailure);
}

Sense key_changed() {
  return Sense::make(SenseKey::kDataProtect, Asc::kEncryptionKeyInstanceCounterChanged);
}

Sense deferred_sense_of(const MediumFault& fault) {
  Sense sense = sense_of(fault);
  sense.deferred = true;
  sense.information = static_cast<std::int64_t>(fault.objects_lost);
  return sense;
}

}  // namespace scsi::ssc
