import BIDS
import Testing
import Workflow

/// What can be told of steps with networks before any image is read, with its place in the file.
@Suite struct NetworkRuleTests {
    /// A workflow of one training step; `inputs` and `parameters` are lines of YAML flow.
    private func problems(
        _ parameters: String, inputs: String = "{images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}"
    ) -> [WorkflowProblem] {
        WorkflowFile.parse(
            """
            name: x
            steps:
              train:
                kind: network.train
                inputs: \(inputs)
                parameters: \(parameters)
            """, path: "/w.yaml"
        ).problems
    }

    private func sentences(_ problems: [WorkflowProblem]) -> [String] { problems.map(\.description) }

    @Test func whatCanWorkIsLetThrough() {
        for parameters in [
            "{}", "{network: unet, rank: 2, patch: [64, 64, 1]}", "{network: deepmir, patch: [256, 256, 1]}",
            "{classes: [{name: a, labels: [1]}, {name: b, labels: [2, 3]}], lateral_pairs: [[a, b]], class_weights: {background: 0.1}}",
            "{classes: [{name: a, labels: [1]}], loss: [dice, bce]}",
            "{network: dbresunet, global_scale: 3, patch: [48, 48, 48]}",
            "{network: deepmir, augmentation: deepmir, skip_empty: Chimap, patch: [64, 64, 1]}",
            "{widths: [8, 16], normalisation: group, groups: 8, patch: [6, 6, 6]}",
        ] {
            let found = problems(parameters)
            #expect(found.isEmpty, "\(parameters): \(sentences(found))")
        }
    }

    @Test(
        arguments: [
            ("{loss: [hinge]}", "parameter loss of step train: there is no loss “hinge”; there are dice"),
            ("{loss: [bce, focal], classes: [{name: a, labels: [1]}]}", "bce is of one value per voxel"),
            ("{patch: [64, 64]}", "parameter patch of step train: patch is three whole numbers"),
            ("{patch: [64, 64, 60]}", "edges are multiples of 16, such as [64, 64, 64]"),
            ("{rank: 2, patch: [60, 64, 1]}", "such as [64, 64, 1]"),
            ("{network: dbresunet, global_scale: 3}", "edges are multiples of 48"),
            (
                "{classes: [{name: a, labels: [1, 2]}, {name: b, labels: [2]}]}",
                "parameter classes of step train: label 2 belongs to both a and b"
            ),
            ("{classes: [{name: a, labels: [1]}, {name: a, labels: [2]}]}", "a is named twice"),
            ("{classes: [{name: background, labels: [1]}]}", "background is a class by itself"),
            ("{classes: [{name: a, labels: [1], regions: [b]}]}", "class a has labels and regions; keep one of them"),
            ("{classes: [{name: a, region: [b]}]}", "class a has no “region”; did you mean regions?"),
            ("{classes: [{name: a, regions: [1]}]}", "class a has the region 1; regions go by their names"),
            ("{classes: [{name: a, regions: []}]}", "the regions of class a are a list of names, not []"),
            ("{classes: [{name: a, labels: 1}]}", "the labels of class a are a list of numbers, not 1"),
            ("{classes: [{name: a}]}", "a class is {name: caudate, labels: [1, 2]} or {name: caudate, regions:"),
            (
                "{classes: [{name: a, regions: [x, y]}, {name: b, regions: [y]}]}",
                "parameter classes of step train: the region y belongs to both a and b"
            ),
            (
                "{classes: [{name: a, regions: [x]}]}",
                "inputs of step train: classes are given by names of regions; bind tables"
            ),
            ("{classes: [{name: a, labels: [0]}]}", "labels are whole numbers from 1 to 65535"),
            (
                "{classes: [{name: left, labels: [1]}], lateral_pairs: [[left, rihgt]]}",
                "parameter lateral_pairs of step train: lateral_pairs speaks of “rihgt”, which is no class"
            ),
            ("{lateral_pairs: [[a, a]]}", "lateral_pairs are pairs of names"),
            ("{network: slices}", "network slices tells people apart; name a column"),
            ("{network: resnet18, target: group}", "bind covariates: {covariates: participants}"),
            ("{network: resnet18}", "inputs of step train: network resnet18 learns from lesions, or name a column"),
            ("{network: qsmrim}", "network qsmrim learns from lesions: tables of their classes; bind targets"),
            ("{channels: [{modality: Chimap}, {modality: T1w}]}", "1 port of images is bound and channels describes 2"),
            ("{channels: [{modality: Chimap, unit: ppm}]}", "channel 1 (Chimap) has no “unit”; did you mean units?"),
            ("{channels: [{modality: Chimap, normalise: log}]}", "is to be normalised by “log”"),
            ("{channels: [{modality: T1w, normalise: clip}]}", "is clipped and needs range"),
            ("{channels: [{modality: T1w, normalise: zscore_mask}]}", "is normalised inside a mask; bind masks"),
            ("{fusion: concatenation}", "fusion is a parameter of the networks qsmrim, not of unet"),
            ("{class_weights: {grey: 2}}", "class_weights speaks of “grey”; there are background, foreground"),
            ("{normalisation: group, groups: 7}", "16 channels cannot be normalised in 7 groups"),
            ("{averaging_from: 200}", "from epoch 200 on, and there are only 100 epochs"),
            ("{averaging_rate: 0.1}", "averaging_rate is for epochs from averaging_from on"),
            ("{network: qsmrim, batch: 4, minimum_positives: 4}", "a batch of 4 with 4 positives has no room"),
            ("{augmentation: deepmir}", "augmentation deepmir is for sampling slices"),
            ("{spacing_mm: [1, 1]}", "spacing_mm is three positive numbers"),
            ("{metric: dice, network: resnet18}", "the metric dice is of networks that segment"),
        ])
    func whatCannotWorkIsSaidWithItsPlace(parameters: String, words: String) throws {
        let found = problems(parameters)
        let problem = try #require(found.first { $0.sentence.contains(words) }, "\(sentences(found))")
        #expect(problem.isError && problem.line != nil && problem.sentence.contains("step train"))
    }

    @Test func classesGoByNamesWhereTablesAreBound() {
        let tables = "tables: {bids: {suffix: dseg, extension: .tsv}}"
        let images = "images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}"
        let classes = "{classes: [{name: a, regions: [x, y]}, {name: b, labels: [3]}]}"
        #expect(problems(classes, inputs: "{\(images), \(tables)}").isEmpty)
        // Tables are none of what lesions are told apart by.
        let found = problems(
            "{network: resnet18}",
            inputs: "{\(images), \(tables), targets: {bids: {suffix: lesions, extension: .tsv}}}")
        #expect(
            found.map(\.sentence) == [
                "input tables of step train: tables are bound, which networks that segment take; leave them out"
            ], "\(sentences(found))")
    }

    private static let ofLesions =
        "{images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}, targets: {bids: {suffix: l, extension: .tsv}}, "
        + "features: {bids: {suffix: f, extension: .tsv}}}"

    /// Classes of lesions and people go by their names, of whom each fold then makes the same.
    @Test(
        arguments: [
            ("{network: qsmrim, classes: [no_rim, rim], positive: rim, class_weights: {rim: 2}, notes: [Ours.]}", nil),
            ("{network: qsmrim, classes: [rim, no_rim], augmentation: lesions}", nil),
            (
                "{network: qsmrim, classes: [{name: rim, labels: [1]}]}",
                "classes to tell people or lesions apart by are names"
            ),
            ("{network: qsmrim, classes: [rim]}", "classes names rim alone"),
            ("{network: qsmrim, classes: [rim, rim]}", "rim is named twice"),
            ("{network: qsmrim, classes: [rim, no_rim], positive: ring}", "not among the classes; valid: rim, no_rim"),
            ("{network: qsmrim, classes: [a, b, c]}", "network qsmrim is for two classes, and 3 are named"),
            ("{network: qsmrim, classes: [rim, no_rim], class_weights: {ring: 2}}", "class_weights speaks of “ring”"),
            ("{network: qsmrim, notes: [3]}", "notes are sentences, not 3"),
            ("{network: unet, classes: [caudate, putamen]}", "a class is {name: caudate"),
        ] as [(String, String?)])
    func classesAreNamed(parameters: String, words: String?) {
        let isOfUNet = parameters.contains("unet")
        let found = isOfUNet ? problems(parameters) : problems(parameters, inputs: Self.ofLesions)
        guard let words else {
            #expect(found.isEmpty, "\(sentences(found))")
            return
        }
        #expect(found.contains { $0.sentence.contains(words) }, "\(sentences(found))")
    }

    @Test func theMarkIsThatOfTheParameter() throws {
        let found = problems("{epochs: 3, loss: [hinge]}")
        #expect(found.map(\.line) == [6] && found.map(\.column) == [29], "\(sentences(found))")
    }

    /// Everything at once, but nothing twice: what a parameter is by itself comes first.
    @Test func rulesFollowWhatIsWrongByItself() {
        #expect(problems("{epochs: 0, loss: [hinge]}").map(\.sentence).allSatisfy { $0.contains("epochs") })
        let several = problems("{loss: [hinge], patch: [64, 64], spacing_mm: [1]}")
        #expect(several.count == 3, "\(sentences(several))")
    }

    @Test(
        arguments: [
            ("{images: {bids: {suffix: Chimap}}}", "{}", "network unet learns from label maps"),
            (
                "{images: {bids: {suffix: Chimap}}, images3: {bids: {suffix: T1w}}, labels: {bids: {suffix: dseg}}}",
                "{}",
                "images3 is bound and images2 is not"
            ),
            (
                "{images: {bids: {suffix: Chimap}}, images2: {bids: {suffix: T1w}}, labels: {bids: {suffix: dseg}}}",
                "{}",
                "2 ports of images are bound and channels by itself means one χ map"
            ),
            (
                "{images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}, features: {bids: {suffix: f, extension: .tsv}}}",
                "{}", "features are bound, which only network qsmrim takes"
            ),
            (
                "{images: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}, covariates: {covariates: participants}}",
                "{}", "network unet makes no use of covariates"
            ),
            (
                "{images: {bids: {suffix: Chimap}}, covariates: {covariates: participants}, targets: {bids: {suffix: t, extension: .tsv}}}",
                "{network: resnet18, target: group}", "people are told apart by the column group"
            ),
        ])
    func inputsMustFitTheNetwork(inputs: String, parameters: String, words: String) {
        let found = problems(parameters, inputs: inputs)
        #expect(found.count == 1 && found[0].sentence.contains(words) && found[0].line == 5, "\(sentences(found))")
    }

    private func applied(_ kind: String, _ inputs: String, _ parameters: String = "{}") -> [WorkflowProblem] {
        WorkflowFile.parse(
            """
            name: x
            steps:
              apply:
                kind: \(kind)
                inputs: {model: {model: net}, image: {bids: {suffix: Chimap}}\(inputs)}
                parameters: \(parameters)
            """, path: "/w.yaml"
        ).problems
    }

    @Test func stepsThatApplyModelsAreCheckedToo() {
        for kind in ["network.segment", "network.classify"] {
            #expect(applied(kind, "").isEmpty)
            let gap = applied(kind, ", image3: {bids: {suffix: T1w}}")
            #expect(
                gap.map(\.sentence) == [
                    "input image3 of step apply: image3 is bound and image2 is not; channels are bound in order"
                ])
        }
        #expect(applied("network.segment", "", "{flips: [width, depth]}").isEmpty)
        let flips = applied("network.segment", "", "{flips: [left]}")
        #expect(
            flips.map(\.sentence) == [
                "parameter flips of step apply: “left” is no axis; there are width, height, depth"
            ])
        let features = applied("network.classify", ", features: {bids: {suffix: f, extension: .tsv}}")
        #expect(features.first?.sentence.contains("bind a map of them to lesions") == true, "\(sentences(features))")
    }

    @Test(
        arguments: [
            ("{preset: ibsi, families: [shape]}", "“shape” in families is none of morphology"),
            ("{families: [morphology]}", "“morphology” in families is none of shape"),
            ("{range: [0, 1]}", "range is of preset ibsi, not pyradiomics"),
            ("{spacing_mm: 1}", "spacing_mm is of preset ibsi"),
            ("{preset: ibsi, range: [3, 1]}", "range must be two numbers, the lower one first"),
            ("{preset: ibsi, aggregation: [4D]}", "“4D” in aggregation is none of 2D_avg"),
            ("{preset: ibsi, aggregation: []}", "aggregation names nothing"),
            ("{preset: qsmrim, scale: 1000}", "are a fixed list, in bins of 25 ppb; leave out scale"),
            ("{units: ppb}", "units is of preset qsmrim"),
            ("{discretisation: bin_number, bin_width: 5}", "bin_width is of discretisation bin_width"),
            ("{bin_number: 16}", "bin_number is of discretisation bin_number"),
        ])
    func radiomicsAreChecked(parameters: String, words: String) throws {
        func found(_ parameters: String) -> [WorkflowProblem] {
            WorkflowFile.parse(
                """
                name: x
                steps:
                  features:
                    kind: radiomics.extract
                    inputs: {image: {bids: {suffix: Chimap}}, labels: {bids: {suffix: dseg}}}
                    parameters: \(parameters)
                """, path: "/w.yaml"
            ).problems
        }
        #expect(found("{preset: qsmrim, units: ppb}").isEmpty)
        #expect(found("{preset: ibsi, range: [0, 100], families: [glcm], spacing_mm: 1}").isEmpty)
        let problem = try #require(found(parameters).first { $0.sentence.contains(words) }, "\(found(parameters))")
        #expect(problem.isError && problem.line == 6 && problem.sentence.contains(" of step features: "))
    }
}
