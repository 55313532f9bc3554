// Additional sense codes by name: ASC in the high byte, ASCQ in the low one (SPC-4 table D.1,
// SSC-4, SMC-3). Only those that this product sends.
#pragma once

#include <cstdint>
#include <string_view>

namespace scsi {

enum class Asc : std::uint16_t {
  kNoAdditionalSense = 0x0000,
  kFilemarkDetected = 0x0001,
  kEndOfPartitionDetected = 0x0002,
  kBeginningOfPartitionDetected = 0x0004,
  kEndOfDataDetected = 0x0005,
  kIoProcessTerminated = 0x0006,
  kProgrammableEarlyWarningDetected = 0x0007,
  kOperationInProgress = 0x0016,
  kCleaningRequested = 0x0017,
  kEraseOperationInProgress = 0x0018,
  kLocateOperationInProgress = 0x0019,
  kRewindOperationInProgress = 0x001A,
  kNotReadyCauseNotReportable = 0x0400,
  kBecomingReady = 0x0401,
  kInitializingCommandRequired = 0x0402,
  kManualInterventionRequired = 0x0403,
  kFormatInProgress = 0x0404,
  kNotReadyOperationInProgress = 0x0407,
  kNotReadyOffline = 0x0412,
  kWriteError = 0x0C00,
  kUnexpectedUnsolicitedData = 0x0C0C,
  kNotEnoughUnsolicitedData = 0x0C0D,
  kLogicalBlockGuardCheckFailed = 0x1001,
  kUnrecoveredReadError = 0x1100,
  kMamReadError = 0x1112,
  kMamWriteError = 0x0C0B,
  kRecordNotFound = 0x1400,
  kEndOfDataNotFound = 0x1403,
  kMechanicalPositioningError = 0x1501,
  kParameterListLengthError = 0x1A00,
  kMiscompareDuringVerify = 0x1D00,
  kInvalidOperationCode = 0x2000,
  kNotInAppendOnlyMode = 0x200C,
  kInvalidElementAddress = 0x2101,
  kInvalidFieldInCdb = 0x2400,
  kLogicalUnitNotSupported = 0x2500,
  kInvalidFieldInParameterList = 0x2600,
  kParameterNotSupported = 0x2601,
  kParameterValueInvalid = 0x2602,
  kInvalidReleaseOfPersistentReservation = 0x2604,
  kWriteProtected = 0x2700,
  kHardwareWriteProtected = 0x2701,
  kSoftwareWriteProtected = 0x2702,
  kMediumMayHaveChanged = 0x2800,
  kImportExportElementAccessed = 0x2801,
  kPowerOnOrReset = 0x2900,
  kBusDeviceReset = 0x2903,
  kNexusLossOccurred = 0x2907,
  kModeParametersChanged = 0x2A01,
  kLogParametersChanged = 0x2A02,
  kReservationsPreempted = 0x2A03,
  kReservationsReleased = 0x2A04,
  kRegistrationsPreempted = 0x2A05,
  kTimestampChanged = 0x2A10,
  kCommandSequenceError = 0x2C00,
  kCommandsClearedByAnotherInitiator = 0x2F00,
  kIncompatibleMedium = 0x3000,
  kUnknownMediumFormat = 0x3001,
  kIncompatibleMediumFormat = 0x3002,
  kCleaningCartridgeInstalled = 0x3003,
  kCannotWriteMedium = 0x3005,
  kCleaningFailure = 0x3007,
  kWormOverwriteAttempted = 0x300C,
  kWormIntegrityCheck = 0x300D,
  kMediumFormatCorrupted = 0x3100,
  kSavingParametersNotSupported = 0x3900,
  kMediumNotPresent = 0x3A00,
  kSequentialPositioningError = 0x3B00,
  kPositionPastBeginningOfMedium = 0x3B0C,
  kMediumDestinationElementFull = 0x3B0D,
  kMediumSourceElementEmpty = 0x3B0E,
  kElementDisabled = 0x3B18,
  kReportedLunsDataHasChanged = 0x3F0E,
  kInternalTargetFailure = 0x4400,
  kProtocolServiceCrcError = 0x4705,
  kInitiatorDetectedErrorMessage = 0x4800,
  kDataPhaseError = 0x4B00,
  kDataOffsetError = 0x4B05,
  kOverlappedCommands = 0x4E00,
  kWriteAppendError = 0x5000,
  kWriteAppendPositionError = 0x5001,
  kEraseFailure = 0x5100,
  kCartridgeFault = 0x5200,
  kMediaLoadOrEjectFailed = 0x5300,
  kUnloadTapeFailure = 0x5301,
  kMediumRemovalPrevented = 0x5302,
  kInsufficientRegistrationResources = 0x5504,
  kMamSpaceExhausted = 0x5506,
  kOperatorMediumRemovalRequest = 0x5A01,
  kOperatorSelectedWriteProtect = 0x5A02,
};

constexpr std::uint8_t asc_of(Asc a) {
  return static_cast<std::uint8_t>(static_cast<std::uint16_t>(a) >> 8);
}
constexpr std::uint8_t ascq_of(Asc a) {
  return static_cast<std::uint8_t>(static_cast<std::uint16_t>(a) & 0xFF);
}

// For people: "invalid field in CDB".
std::string_view asc_text(Asc asc);

}  // namespace scsi
