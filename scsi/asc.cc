#include "scsi/asc.h"

namespace scsi {
namespace {

struct Text {
  Asc asc;
  std::string_view text;
};
constexpr Text kTexts[] = {
    {Asc::kNoAdditionalSense, "no additional sense"},
    {Asc::kFilemarkDetected, "filemark detected"},
    {Asc::kEndOfPartitionDetected, "end of partition detected"},
    {Asc::kBeginningOfPartitionDetected, "beginning of partition detected"},
    {Asc::kEndOfDataDetected, "end of data detected"},
    {Asc::kIoProcessTerminated, "I/O process terminated"},
    {Asc::kProgrammableEarlyWarningDetected, "programmable early warning detected"},
    {Asc::kOperationInProgress, "operation in progress"},
    {Asc::kCleaningRequested, "cleaning requested"},
    {Asc::kEraseOperationInProgress, "erase operation in progress"},
    {Asc::kLocateOperationInProgress, "locate operation in progress"},
    {Asc::kRewindOperationInProgress, "rewind operation in progress"},
    {Asc::kNotReadyCauseNotReportable, "not ready cause not reportable"},
    {Asc::kBecomingReady, "becoming ready"},
    {Asc::kInitializingCommandRequired, "initializing command required"},
    {Asc::kManualInterventionRequired, "manual intervention required"},
    {Asc::kNotReadyOperationInProgress, "not ready operation in progress"},
    {Asc::kNotReadyOffline, "not ready offline"},
    {Asc::kWriteError, "write error"},
    {Asc::kUnexpectedUnsolicitedData, "unexpected unsolicited data"},
    {Asc::kNotEnoughUnsolicitedData, "not enough unsolicited data"},
    {Asc::kLogicalBlockGuardCheckFailed, "logical block guard check failed"},
    {Asc::kUnrecoveredReadError, "unrecovered read error"},
    {Asc::kMamReadError, "medium auxiliary memory read error"},
    {Asc::kMamWriteError, "medium auxiliary memory write error"},
    {Asc::kRecordNotFound, "record not found"},
    {Asc::kEndOfDataNotFound, "end of data not found"},
    {Asc::kMechanicalPositioningError, "mechanical positioning error"},
    {Asc::kParameterListLengthError, "parameter list length error"},
    {Asc::kMiscompareDuringVerify, "miscompare during verify"},
    {Asc::kInvalidOperationCode, "invalid operation code"},
    {Asc::kNotInAppendOnlyMode, "not in append only mode"},
    {Asc::kInvalidElementAddress, "invalid element address"},
    {Asc::kInvalidFieldInCdb, "invalid field in CDB"},
    {Asc::kLogicalUnitNotSupported, "logical unit not supported"},
    {Asc::kInvalidFieldInParameterList, "invalid field in parameter list"},
    {Asc::kParameterNotSupported, "parameter not supported"},
    {Asc::kParameterValueInvalid, "parameter value invalid"},
    {Asc::kInvalidReleaseOfPersistentReservation, "invalid release of persistent reservation"},
    {Asc::kWriteProtected, "write protected"},
    {Asc::kHardwareWriteProtected, "hardware write protected"},
    {Asc::kSoftwareWriteProtected, "software write protected"},
    {Asc::kMediumMayHaveChanged, "medium may have changed"},
    {Asc::kImportExportElementAccessed, "import export element accessed"},
    {Asc::kPowerOnOrReset, "power on, reset, or bus device reset occurred"},
    {Asc::kBusDeviceReset, "logical unit or target reset"},
    {Asc::kNexusLossOccurred, "I_T nexus loss occurred"},
    {Asc::kModeParametersChanged, "mode parameters changed"},
    {Asc::kLogParametersChanged, "log parameters changed"},
    {Asc::kReservationsPreempted, "reservations preempted"},
    {Asc::kReservationsReleased, "reservations released"},
    {Asc::kRegistrationsPreempted, "registrations preempted"},
    {Asc::kTimestampChanged, "timestamp changed"},
    {Asc::kCommandSequenceError, "command sequence error"},
    {Asc::kCommandsClearedByAnotherInitiator, "commands cleared by another initiator"},
    {Asc::kIncompatibleMedium, "incompatible medium"},
    {Asc::kUnknownMediumFormat, "unknown medium format"},
    {Asc::kIncompatibleMediumFormat, "incompatible medium format"},
    {Asc::kCleaningCartridgeInstalled, "cleaning cartridge installed"},
    {Asc::kCannotWriteMedium, "cannot write medium"},
    {Asc::kWormOverwriteAttempted, "WORM medium: overwrite attempted"},
    {Asc::kWormIntegrityCheck, "WORM medium: integrity check"},
    {Asc::kMediumFormatCorrupted, "medium format corrupted"},
    {Asc::kSavingParametersNotSupported, "saving parameters not supported"},
    {Asc::kMediumNotPresent, "medium not present"},
    {Asc::kSequentialPositioningError, "sequential positioning error"},
    {Asc::kPositionPastBeginningOfMedium, "position past beginning of medium"},
    {Asc::kMediumDestinationElementFull, "medium destination element full"},
    {Asc::kMediumSourceElementEmpty, "medium source element empty"},
    {Asc::kElementDisabled, "element disabled"},
    {Asc::kReportedLunsDataHasChanged, "reported LUNs data has changed"},
    {Asc::kInternalTargetFailure, "internal target failure"},
    {Asc::kProtocolServiceCrcError, "protocol service CRC error"},
    {Asc::kInitiatorDetectedErrorMessage, "initiator detected error message"},
    {Asc::kDataPhaseError, "data phase error"},
    {Asc::kDataOffsetError, "data offset error"},
    {Asc::kOverlappedCommands, "overlapped commands"},
    {Asc::kWriteAppendError, "write append error"},
    {Asc::kWriteAppendPositionError, "write append position error"},
    {Asc::kEraseFailure, "erase failure"},
    {Asc::kCartridgeFault, "cartridge fault"},
    {Asc::kMediaLoadOrEjectFailed, "media load or eject failed"},
    {Asc::kUnloadTapeFailure, "unload tape failure"},
    {Asc::kMediumRemovalPrevented, "medium removal prevented"},
    {Asc::kInsufficientRegistrationResources, "insufficient registration resources"},
    {Asc::kMamSpaceExhausted, "medium auxiliary memory is full"},
    {Asc::kOperatorMediumRemovalRequest, "operator medium removal request"},
    {Asc::kOperatorSelectedWriteProtect, "operator selected write protect"},
};

}  // namespace

std::string_view asc_text(Asc asc) {
  for (const Text& row : kTexts)
    if (row.asc == asc) return row.text;
  return "unnamed";
}

}  // namespace scsi
