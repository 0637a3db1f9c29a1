/// The variables an attempt's process starts with.
package enum AttemptEnvironment {
    /// Says to which attempt a process belongs, so that those of a killed worker can be found.
    package static let folderVariable = "QSMFLOW_ATTEMPT_FOLDER"

    /// The worker's own variables, which programs such as FSL and FreeSurfer need, without its secrets.
    package static func variables(from worker: [String: String], folder: String, threads: Int) -> [String: String] {
        var variables = worker.filter { name, _ in !isSecret(name) }
        variables["TMPDIR"] = folder + "/tmp"
        variables[folderVariable] = folder
        // What OpenMP and ITK programs read; without it each takes the whole machine.
        variables["OMP_NUM_THREADS"] = "\(threads)"
        variables["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "\(threads)"
        return variables
    }

    /// Ours (token, addresses) and libpq's; how kernels are chosen is no secret.
    static func isSecret(_ name: String) -> Bool {
        name.hasPrefix("PG") || name.hasPrefix("QSMFLOW_") && name != "QSMFLOW_INSTRUCTION_SET"
    }
}
