package wire

// TypeName is the name of the PDU in ISO 9506.
func (m *MMS) TypeName() string {
	names := [...]string{
		"confirmed-Request", "confirmed-Response", "confirmed-Error", "unconfirmed", "reject",
		"cancel-Request", "cancel-Response", "cancel-Error",
		"initiate-Request", "initiate-Response", "initiate-Error",
		"conclude-Request", "conclude-Response", "conclude-Error",
	}
	if int(m.PDU) < len(names) {
		return names[m.PDU]
	}
	return ""
}

// ServiceName is the name of the service in ISO 9506; "" for a PDU without one
// and for a service that is unknown.
func (m *MMS) ServiceName() string {
	switch m.PDU {
	case MMSConfirmedRequest, MMSConfirmedResponse:
		name, _ := mmsService(m.Service)
		return name
	case MMSUnconfirmed:
		if names := [...]string{"informationReport", "unsolicitedStatus", "eventNotification"}; m.Service >= 0 && m.Service < len(names) {
			return names[m.Service]
		}
	}
	return ""
}

// mmsService names and classes the confirmed services.
func mmsService(service int) (string, CommandClass) {
	const (
		o = CommandOther
		r = CommandRead
		w = CommandWrite
		c = CommandControl
	)
	type row struct {
		name  string
		class CommandClass
	}
	table := [...]row{
		{"status", r},
		{"getNameList", r},
		{"identify", r},
		{"rename", c},
		{"read", r},
		{"write", w},
		{"getVariableAccessAttributes", r},
		{"defineNamedVariable", c},
		{"defineScatteredAccess", c},
		{"getScatteredAccessAttributes", r},
		{"deleteVariableAccess", c},
		{"defineNamedVariableList", c},
		{"getNamedVariableListAttributes", r},
		{"deleteNamedVariableList", c},
		{"defineNamedType", c},
		{"getNamedTypeAttributes", r},
		{"deleteNamedType", c},
		{"input", r},
		{"output", w},
		{"takeControl", c},
		{"relinquishControl", c},
		{"defineSemaphore", c},
		{"deleteSemaphore", c},
		{"reportSemaphoreStatus", r},
		{"reportPoolSemaphoreStatus", r},
		{"reportSemaphoreEntryStatus", r},
		{"initiateDownloadSequence", c},
		{"downloadSegment", c},
		{"terminateDownloadSequence", c},
		{"initiateUploadSequence", r},
		{"uploadSegment", r},
		{"terminateUploadSequence", r},
		{"requestDomainDownload", c},
		{"requestDomainUpload", r},
		{"loadDomainContent", c},
		{"storeDomainContent", c},
		{"deleteDomain", c},
		{"getDomainAttributes", r},
		{"createProgramInvocation", c},
		{"deleteProgramInvocation", c},
		{"start", c},
		{"stop", c},
		{"resume", c},
		{"reset", c},
		{"kill", c},
		{"getProgramInvocationAttributes", r},
		{"obtainFile", c},
		{"defineEventCondition", c},
		{"deleteEventCondition", c},
		{"getEventConditionAttributes", r},
		{"reportEventConditionStatus", r},
		{"alterEventConditionMonitoring", c},
		{"triggerEvent", c},
		{"defineEventAction", c},
		{"deleteEventAction", c},
		{"getEventActionAttributes", r},
		{"reportEventActionStatus", r},
		{"defineEventEnrollment", c},
		{"deleteEventEnrollment", c},
		{"alterEventEnrollment", c},
		{"reportEventEnrollmentStatus", r},
		{"getEventEnrollmentAttributes", r},
		{"acknowledgeEventNotification", o},
		{"getAlarmSummary", r},
		{"getAlarmEnrollmentSummary", r},
		{"readJournal", r},
		{"writeJournal", w},
		{"initializeJournal", c},
		{"reportJournalStatus", r},
		{"createJournal", c},
		{"deleteJournal", c},
		{"getCapabilityList", r},
		{"fileOpen", r},
		{"fileRead", r},
		{"fileClose", r},
		{"fileRename", c},
		{"fileDelete", c},
		{"fileDirectory", r},
	}
	if service >= 0 && service < len(table) {
		return table[service].name, table[service].class
	}
	return "", CommandOther
}
