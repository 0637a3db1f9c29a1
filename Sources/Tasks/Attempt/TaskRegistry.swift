import Workflow

/// Every task kind that this program can run. A test compares it with `TaskKindCatalog`.
package enum TaskRegistry {
    static let implementations: [any TaskImplementation.Type] = [
        ImageCheckTask.self, BrainMaskTask.self, SlabTask.self, QCPicturesTask.self,
        WithinSubjectRegistrationTask.self, ImageResampleTask.self, AtlasRegistrationTask.self, NativeLabelsTask.self,
        LabelRefinementTask.self, RegionStatisticsTask.self, SubjectAggregateTask.self,
        RadiomicsTask.self,
        NetworkTrainTask.self, NetworkSegmentTask.self, NetworkClassifyTask.self,
        LesionComponentsTask.self, DetectionTask.self, SegmentationEvaluationTask.self, ClassificationTask.self,
        SummaryTask.self,
        ClassifierTrainTask.self, ClassifierApplyTask.self, LesionCandidatesTask.self, LesionMatchTask.self,
        LesionSelectTask.self,
        LinearModelTask.self, CohortQCTask.self,
        CommandTask.self,
    ]

    private static let byKind: [String: any TaskImplementation.Type] =
        Dictionary(uniqueKeysWithValues: implementations.map { ($0.kind, $0) })

    package static var kinds: Set<String> { Set(byKind.keys) }

    static func implementation(of kind: String) -> (any TaskImplementation.Type)? { byKind[kind] }
}
