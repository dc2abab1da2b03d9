//! The rules by name, so that a test can count the rules that a run has applied.

macro_rules! rules {
    ($($rule:ident = $id:literal,)*) => {
        /// A rule of `rules.yaml`, which has its text and its source in the AWS documentation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = concat!("The rule `", $id, "`.")] $rule,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// The `id` of the rule in `rules.yaml`.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$rule => $id,)*
                }
            }
        }
    };
}

rules! {
    AtOnce = "at-once",
    BatchSize = "batch-size",
    BatchingWindow = "batching-window",
    BatchingWindowBegins = "batching-window-begins",
    BatchFull = "batch-full",
    PayloadLimit = "payload-limit",
    OneShardABatch = "one-shard-a-batch",
    StartTrimHorizon = "start-trim-horizon",
    StartLatest = "start-latest",
    StartAtTimestamp = "start-at-timestamp",
    StartEventually = "start-eventually",
    StartChild = "start-child",
    LanePerKey = "lane-per-key",
    LanesConcurrent = "lanes-concurrent",
    OneBatchALane = "one-batch-a-lane",
    LaneBlocked = "lane-blocked",
    AtLeastOnce = "at-least-once",
    CheckpointLost = "checkpoint-lost",
    LateOutcome = "late-outcome",
    FunctionError = "function-error",
    TimeoutIsError = "timeout-is-error",
    WholeBatchDone = "whole-batch-done",
    RetryWholeBatch = "retry-whole-batch",
    RetryForever = "retry-forever",
    RetryAttempts = "retry-attempts",
    BackOff = "back-off",
    ThrottleNoAttempt = "throttle-no-attempt",
    RecordAge = "record-age",
    DiscardContinues = "discard-continues",
    BisectHalves = "bisect-halves",
    BisectFree = "bisect-free",
    BisectSingle = "bisect-single",
    BisectRegardless = "bisect-regardless",
    BisectAtCheckpoint = "bisect-at-checkpoint",
    ReportLowest = "report-lowest",
    ReportEmptyList = "report-empty-list",
    ReportNullList = "report-null-list",
    ReportEmptyResponse = "report-empty-response",
    ReportNullResponse = "report-null-response",
    ReportListMisnamed = "report-list-misnamed",
    ReportMalformed = "report-malformed",
    ReportEmptyIdentifier = "report-empty-identifier",
    ReportNullIdentifier = "report-null-identifier",
    ReportBadKey = "report-bad-key",
    ReportUnknownIdentifier = "report-unknown-identifier",
    ReportFirstRecord = "report-first-record",
    ReportCounts = "report-counts",
    ReportException = "report-exception",
    ReportOff = "report-off",
    DestinationMetadata = "destination-metadata",
    DestinationPayload = "destination-payload",
    DestinationCondition = "destination-condition",
    DestinationNone = "destination-none",
    DestinationConsolidated = "destination-consolidated",
    ParentFirst = "parent-first",
    MergeWaits = "merge-waits",
    ClosedShard = "closed-shard",
    FilterBeforeFunction = "filter-before-function",
    FilterAdvances = "filter-advances",
    FilterAnyOf = "filter-any-of",
    FilterAllFields = "filter-all-fields",
    FilterAnyValue = "filter-any-value",
    FilterOr = "filter-or",
    FilterNotJson = "filter-not-json",
    FilterFields = "filter-fields",
    FilterPattern = "filter-pattern",
    FilterExact = "filter-exact",
    FilterNumberText = "filter-number-text",
    FilterNull = "filter-null",
    FilterPrefix = "filter-prefix",
    FilterSuffix = "filter-suffix",
    FilterEqualsIgnoreCase = "filter-equals-ignore-case",
    FilterAnythingBut = "filter-anything-but",
    FilterNumeric = "filter-numeric",
    FilterExists = "filter-exists",
    FilterArray = "filter-array",
    SettingsLimits = "settings-limits",
    Disabled = "disabled",
    Updated = "updated",
    Deleted = "deleted",
    PollOnceASecond = "poll-once-a-second",
    CatchesUp = "catches-up",
    ReadLimitCalls = "read-limit-calls",
    ReadLimitBytes = "read-limit-bytes",
    ReadLimitCall = "read-limit-call",
    FanOut = "fan-out",
    FanOutRetry = "fan-out-retry",
    ReadAhead = "read-ahead",
    RetentionUnread = "retention-unread",
    RetentionRetried = "retention-retried",
    IteratorAge = "iterator-age",
}
