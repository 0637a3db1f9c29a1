import ArgumentParser
import CoordinatorClient
import Foundation
import Phantom
import Workflow

struct PhantomCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "phantom",
        abstract: "Write a synthetic BIDS cohort with an atlas and known truth, or compare a run with it.",
        subcommands: [PhantomWriteCommand.self, PhantomCompareCommand.self], defaultSubcommand: PhantomWriteCommand.self
    )
}

struct PhantomWriteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Write a synthetic BIDS cohort with an atlas and known truth.",
        discussion: """
            Writes FOLDER/rawdata (a BIDS dataset), FOLDER/derivatives/recon (susceptibility maps), \
            FOLDER/derivatives/truth (what a pipeline must not read) and FOLDER/atlas; studies of what is to be found also \
            FOLDER/derivatives/labels, as experts would draw them. Equal seeds give equal bytes, and more people leave the \
            earlier ones as they are. Effect sizes are chosen, not found: results on this cohort show that a pipeline works, \
            not that a finding holds.

            STUDIES
              standard         healthy and hemochromatosis in turn, no vessels
              subcortical      healthy people with veins; labels: deep nuclei
              microbleeds      microbleeds, iron deposits and mimics; T2w
              rim              multiple sclerosis, lesions with rims; FLAIR
              hemochromatosis  patients to controls 52 to 47, matched; veins
              mixed            the four groups in turn, with all images

            Labels of microbleeds: desc-lesion_dseg by number, desc-lesionclass_dseg by class (1 microbleed, 2 iron deposit). \
            Their mimics, veins, calcifications and flow voids, are as dark on the susceptibility-weighted image (recon, \
            desc-swi_T2starw); the sign of the susceptibility tells calcium from iron. Labels of rim: desc-lesion_dseg by \
            number, and lesions.tsv with the columns lesion, class (rim, no_rim) and rim (1, 0); participants.tsv has \
            rim_count. Truth of all but standard: desc-lesion_dseg, a number for every lesion, vessel and mimic (also on the \
            T1w grid), and lesions.tsv, a row for each.
            """)

    @Argument(help: "Folder to create.", completion: .directory) var folder: String
    @Option(name: .long, help: "Who takes part and what is to be found.") var study = PhantomCohort.Study.standard
    @Option(name: .long, help: "People.") var subjects = 8
    @Option(name: .long, help: "Scanner sites.") var sites = 2
    @Option(name: .long, help: "Fixes everything that is drawn.") var seed: UInt64 = 1
    @Option(name: .long, help: "Voxel size, mm.") var voxel = 1.5
    @Option(
        name: .long, help: "Factor on the shift of susceptibility in hemochromatosis; 0 makes a cohort without one.")
    var effect = 1.0
    @Option(
        name: .long,
        help: "Microbleeds per person: enriched (about 7, 15 % have none) or population (prevalence by age).")
    var bleeds = PhantomCohort.Bleeds.enriched
    @Option(name: .long, help: "Mean number of lesions in multiple sclerosis.") var lesions = 24.2
    @Option(name: .long, help: "Mean number of those that have a rim.") var rims = 1.03
    @Flag(name: .long, help: "Anatomical images on the grid and in the pose of the susceptibility map.")
    var aligned = false
    @Flag(name: .long, help: "Add people whose images are broken in known ways.") var defects = false
    @Flag(name: .shortAndLong, help: "Say nothing while writing.") var quiet = false

    func run() async throws {
        var options = PhantomCohort.Options()
        options.study = study
        options.subjects = subjects
        options.sites = sites
        options.seed = seed
        options.voxelMillimetres = voxel
        options.effect = effect
        options.bleeds = bleeds
        options.lesions = lesions
        options.rims = rims
        options.isAligned = aligned
        options.defects = defects ? PhantomCohort.Defect.allCases : []
        let summary = try Self.naming {
            try PhantomCohort.write(
                to: CohortSelection.absolute(folder), options: options,
                threads: ProcessInfo.processInfo.activeProcessorCount
            ) { done, total in
                guard !quiet, Console.errorIsTerminal else { return }
                Console.write("\r\(done)/\(total) people\u{1b}[K", to: STDERR_FILENO)
            }
        }
        if !quiet {
            if Console.errorIsTerminal { Console.write("\r\u{1b}[K", to: STDERR_FILENO) }
            let broken = summary.broken > 0 ? ", \(summary.broken) of them broken" : ""
            Console.print(
                "\(summary.participants) people\(broken), \(summary.files) files, \(Durations.text(bytes: Int64(summary.bytes)))"
            )
            Console.print("dataset        \(summary.rawData)")
            Console.print("maps           \(summary.reconstruction)")
            if let labels = summary.labels { Console.print("labels         \(labels)") }
            Console.print("atlas          \(summary.atlas)")
            Console.print("truth          \(summary.truthTable)")
            let derivatives = [summary.reconstruction, study.needsLabels ? summary.labels : nil].compactMap(\.self)
            Console.print(
                "run it with    qsmflow run workflows/\(study.workflow) \(summary.rawData) --derivatives "
                    + derivatives.joined(separator: " ")
                    + (study.needsLabels ? "" : " --atlas phantom=\(summary.atlas)")
                    + (study == .rim && aligned ? " --set register=false" : ""))
        }
    }
}

extension PhantomWriteCommand {
    /// What is wrong with an option, under the name that it has here.
    static func naming<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch PhantomError.badOption(let name, let value, let allowed) {
            let option = name == "voxelMillimetres" ? "voxel" : name
            throw ValidationError("--\(option) is \(value); it must be \(allowed)\(option == "voxel" ? " mm" : "").")
        }
    }
}

extension PhantomCohort.Study: ExpressibleByArgument {}

extension PhantomCohort.Study {
    /// The workflow file that the study is made for.
    fileprivate var workflow: String {
        switch self {
        case .standard, .mixed: "subcortical.yaml"
        case .subcortical: "subcortical-network.yaml"
        case .microbleeds: "deepmir.yaml"
        case .rim: "qsmrim.yaml"
        case .hemochromatosis: "qnet.yaml"
        }
    }

    /// Whether that learns from labels; else it takes them from an atlas.
    fileprivate var needsLabels: Bool {
        switch self {
        case .subcortical, .microbleeds, .rim: true
        case .standard, .mixed, .hemochromatosis: false
        }
    }
}

extension PhantomCohort.Bleeds: ExpressibleByArgument {}

struct PhantomCompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare the susceptibility that a run read in the deep nuclei with the truth.",
        discussion: """
            Truth is the mean of the noise-free map over the true region; recovered is the mean that the run measured under \
            its own labels, against no reference. One row per nucleus over all people who have both; errors in ppb.
            """)

    @Argument(help: "Folder of the phantom cohort.", completion: .directory) var folder: String
    @OptionGroup var selection: NamedRunOption
    @Option(name: .long, help: "Fail unless the mean absolute error over the deep nuclei is below this, ppb.")
    var below: Double?
    @OptionGroup var output: JSONOption
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let truth = try PhantomTruth.read(folder: CohortSelection.absolute(folder))
        let comparison = try await connection.withClient { client in
            let run = try await selection.resolve(client)
            let rows = try await ResultReader(client: client, run: run).table("roi_statistics")
                .rows(needing: ["subject", "region", "reference", "mean_ppm"])
            var recovered: [PhantomTruth.Key: Double] = [:]
            for row in rows where row["reference"] == "none" {
                guard let mean = row.number("mean_ppm") else { continue }
                recovered[PhantomTruth.Key(subject: row.text("subject"), region: row.text("region"))] = mean * 1000
            }
            return PhantomComparison(truth: truth, recovered: recovered, regions: PhantomCohort.deepNuclei)
        }
        guard let overall = comparison.meanAbsoluteError else {
            throw CommandFailure("The run has no region statistics of the people in \(folder); name the run with --run")
        }
        if try output.printed(comparison) == false {
            var table = TextTable(
                ["nucleus", "people", "true ppb", "recovered ppb", "error ppb", "mean |error| ppb"],
                rightAligned: [1, 2, 3, 4, 5])
            func text(_ value: Double) -> String { String(format: "%.2f", value) }
            for row in comparison.rows {
                table.add([
                    row.region, "\(row.people)", text(row.trueMean), text(row.recoveredMean),
                    text(row.recoveredMean - row.trueMean),
                    text(row.meanAbsoluteError),
                ])
            }
            table.printed()
            Console.print(
                "Mean absolute error over the deep nuclei: \(text(overall)) ppb (\(comparison.values) values).")
        }
        if let below, overall >= below {
            throw CommandFailure(
                String(format: "The mean absolute error, %.2f ppb, is not below %g ppb", overall, below))
        }
    }
}

/// A run by its number where an argument is taken; without one the latest.
struct NamedRunOption: ParsableArguments {
    @Option(name: .long, help: "Number of the run. Default: the latest.") var run: RunID?

    func resolve(_ client: CoordinatorClient) async throws -> RunID {
        var selection = RunSelection()
        selection.run = run
        return try await selection.resolve(client)
    }
}
