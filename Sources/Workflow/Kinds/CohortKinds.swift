import BIDS

extension TaskKindCatalog {
    /// Kinds that look at everybody.
    static let cohortKinds = [
        TaskKind(
            name: "cohort.linear-model", version: 3,
            summary: "Linear model per region over the cohort, with confidence intervals and false discovery rate.",
            scopes: [.cohort],
            inputs: [
                TaskPort("tables", .table, .many, "Tables of subject.aggregate."),
                TaskPort("covariates", .json, .one, "Columns of participants.tsv and sessions.tsv."),
            ],
            outputs: [
                TaskPort("effects", .table, .one, "One row per region and term."),
                TaskPort("report", .json, .one, "Who is in the model, who is not and why, and how well it fits."),
            ],
            parameters: [
                TaskParameter("outcome", .choice(["mean", "median", "volume"]), default: "mean", "What is modelled."),
                TaskParameter("reference", .text, default: "whole_brain", "Which reference the values are against."),
                TaskParameter(
                    "terms", .list, default: ["age", "sex", "site", "group"],
                    "Covariates; those that the cohort lacks or that do not vary are left out and named in the report."),
                TaskParameter(
                    "baseline", .map, default: [:],
                    "Baseline level of categorical covariates, e.g. {group: control}; by itself a level named control, healthy, "
                        + "hc or the like, else the first."),
                TaskParameter(
                    "confidence", .number(0.5...0.999), default: 0.95, "Coverage of the confidence intervals."),
                TaskParameter(
                    "regions", .list, default: [], "Only these regions; empty means all."),
            ],
            measurements: [
                MeasurementDeclaration("estimate", unit: "ppm", "Coefficient of the term."),
                MeasurementDeclaration("standard_error", unit: "ppm", "Its standard error."),
                MeasurementDeclaration("ci_low", unit: "ppm", "Lower end of the confidence interval."),
                MeasurementDeclaration("ci_high", unit: "ppm", "Upper end of the confidence interval."),
                MeasurementDeclaration("t", unit: "1", "Estimate over standard error."),
                MeasurementDeclaration("df", unit: "1", "Residual degrees of freedom."),
                MeasurementDeclaration("p", unit: "1", "Two-sided p value."),
                MeasurementDeclaration("q", unit: "1", "Benjamini–Hochberg q value over the regions, per term."),
                MeasurementDeclaration("subjects", unit: "1", "People in the model."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 512), timeoutSeconds: 900),
        TaskKind(
            name: "cohort.qc", version: 2,
            summary: "Flags people whose quality numbers stand out from the cohort (robust z score).",
            scopes: [.cohort],
            inputs: [TaskPort("reports", .json, .many, "Reports of qc.pictures.")],
            outputs: [TaskPort("table", .table, .one, "One row per person and number.")],
            parameters: [
                TaskParameter(
                    "threshold", .number(1...20), default: 3.5,
                    "Robust z score from which a value is flagged, unless its difference from the median is negligible."
                )
            ],
            measurements: [
                MeasurementDeclaration("robust_z", unit: "1", "Robust z score of a quality number (term names it)."),
                MeasurementDeclaration(
                    "flag", unit: "1",
                    "1 when the person is an outlier in that number by more than a negligible difference."),
            ],
            resources: TaskResources(cores: 1, memoryMiB: 512), timeoutSeconds: 600),
    ]

    /// Any program that the operator allows on the worker.
    static let commandKind = TaskKind(
        name: "command", version: 1,
        summary:
            "Runs a program that the worker's operator has allowed, on staged inputs, and takes its declared outputs.",
        scopes: TaskScope.allCases, inputs: [], outputs: [],
        parameters: [
            TaskParameter("program", .text, default: "", "Name under which the worker allows the program."),
            TaskParameter(
                "version", .text, default: "",
                "Version of the program, in any words: results are shared between equal ones. `qsmflow run` also tells programs "
                    + "apart by their bytes; on a cluster, raise it when the program changes."),
            TaskParameter(
                "arguments", .list, default: [],
                "Arguments; {inputs.NAME}, {outputs.NAME}, {subject}, {session}, {threads} are filled in."),
            TaskParameter("environment", .map, default: [:], "Environment variables added."),
            TaskParameter(
                "outputs", .map, default: [:],
                "Output ports: name to file name, e.g. {stripped: brain.nii.gz}."),
            TaskParameter(
                "measurements", .text, default: "",
                "Output port whose file holds measurements: TSV with columns region, reference, term, metric, value, unit."
            ),
        ],
        resources: TaskResources(cores: 1, memoryMiB: 2048), timeoutSeconds: 3600, hasOpenPorts: true)
}
