import ArgumentParser
import Foundation
import Phantom

struct PhantomCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "phantom", abstract: "Write a synthetic BIDS cohort with an atlas and known truth.",
        discussion: """
            Writes FOLDER/rawdata (a BIDS dataset), FOLDER/derivatives/recon (susceptibility maps), \
            FOLDER/derivatives/truth (what a pipeline must not read) and FOLDER/atlas. Equal seeds give equal bytes. \
            Effect sizes are chosen, not found: results on this cohort show that a pipeline works, not that a finding holds.
            """)

    @Argument(help: "Folder to create.", completion: .directory) var folder: String
    @Option(name: .long, help: "People.") var subjects = 8
    @Option(name: .long, help: "Scanner sites.") var sites = 2
    @Option(name: .long, help: "Fixes everything that is drawn.") var seed: UInt64 = 1
    @Option(name: .long, help: "Voxel size, mm.") var voxel = 1.5
    @Option(name: .long, help: "Factor on the group difference; 0 makes a cohort without one.") var effect = 1.0
    @Flag(name: .long, help: "Add people whose images are broken in known ways.") var defects = false
    @Flag(name: .shortAndLong, help: "Say nothing while writing.") var quiet = false

    func run() async throws {
        var options = PhantomCohort.Options()
        options.subjects = subjects
        options.sites = sites
        options.seed = seed
        options.voxelMillimetres = voxel
        options.effect = effect
        options.defects = defects ? PhantomCohort.Defect.allCases : []
        let summary = try PhantomCohort.write(
            to: CohortSelection.absolute(folder), options: options,
            threads: ProcessInfo.processInfo.activeProcessorCount
        ) { done, total in
            if !quiet, Console.errorIsTerminal { Console.write("\r\(done)/\(total) people\u{1b}[K", to: STDERR_FILENO) }
        }
        if !quiet {
            if Console.errorIsTerminal { Console.write("\r\u{1b}[K", to: STDERR_FILENO) }
            Console.print("\(summary)")
        }
    }
}
