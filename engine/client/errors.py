"""Every error a user can meet: a code, one plain sentence and a remedy. Drawn as a tree.

    PincelError
      InputError        the picture, mask or hints: input.*          exit status 3
      OptionError       an option or a generator's name: option.*    exit status 2
      OutputError       writing a result: output.*                   exit status 4
      WeightsError      a weights file: weights.*                    exit status 5
      EngineError       the service: engine.*                        exit status 6
      TrainingError     a training: training.*                       exit status 7
      Cancelled         the user stopped it: cancelled               exit status 130
      InternalError     a fault of ours: internal                    exit status 1

A code never changes its meaning. Errors cross the wire as a dict (to_dict, catalogue.from_dict) and keep their class.
"""


class PincelError(Exception):
    """The root. `sentence`: what happened; `remedy`: what the user can do; `detail`: JSON values for programs."""

    code = "internal"
    exit_status = 1
    remedy = "Run `pincel doctor` and report what it prints together with the steps that led here."
    # The id of the message that it answers, while it is on its way over the wire; "-" when that is not known.
    request = "-"

    def __init__(self, sentence, remedy=None, **detail):
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail
        if remedy is not None:
            self.remedy = remedy

    def __str__(self):
        return "%s (%s) %s" % (self.sentence, self.code, self.remedy)

    def to_dict(self):
        """The error as JSON values: {"code", "sentence", "remedy", "detail"}."""
        return {"code": self.code, "sentence": self.sentence, "remedy": self.remedy, "detail": self.detail}


class InternalError(PincelError):
    pass


class Cancelled(PincelError):
    code = "cancelled"
    exit_status = 130
    remedy = "Nothing was changed. Start it again when you like."

    def __init__(self, sentence="The work was cancelled.", remedy=None, **detail):
        super().__init__(sentence, remedy, **detail)


# ---- the picture, the mask, the hints ----------------------------------------------------------------------------


class InputError(PincelError):
    code = "input.invalid"
    exit_status = 3
    remedy = "Give a PNG, JPEG, TIFF or WebP picture."


class InputMissing(InputError):
    code = "input.missing"
    remedy = "Check the path's spelling and that the file may be read."


class NotAPicture(InputError):
    code = "input.not-a-picture"
    remedy = "Give a PNG, JPEG, TIFF, WebP, BMP or GIF file; open and save it again in an editor if it should be one."


class Truncated(InputError):
    code = "input.truncated"
    remedy = "The file ends too early or is damaged: copy or download it again."


class EmptyPicture(InputError):
    code = "input.empty"
    remedy = "Give a picture of at least 1 x 1 pixel."


class TooLarge(InputError):
    code = "input.too-large"
    remedy = "Scale it down or cut it into parts first."


class AllTransparent(InputError):
    code = "input.all-transparent"
    remedy = "Choose a layer with visible pixels."


class NotFinite(InputError):
    code = "input.not-finite"
    remedy = "The picture holds NaN or infinity: clamp its values in the editor that made it, then try again."


class UnsupportedMode(InputError):
    code = "input.mode"
    remedy = "Convert it to RGB in an editor, or let Pincel convert it: --convert (convert=True)."


class Animated(InputError):
    code = "input.animated"
    remedy = "Save the frame you want as a picture of its own, or take the first one: --convert (convert=True)."


class HintsSize(InputError):
    code = "input.hints-size"
    remedy = "Make the hints picture exactly as large as the picture."


class HintsInvalid(InputError):
    code = "input.hints"
    remedy = "Paint the hints on a transparent layer of the picture's size: its alpha marks where they are."


class MaskSize(InputError):
    code = "input.mask-size"
    remedy = "Make the mask exactly as large as the photograph."


class FrameInvalid(InputError):
    code = "input.frame"
    remedy = "The description of the pixels does not match their bytes: update the plug-in or script that sent them."


# ---- options -----------------------------------------------------------------------------------------------------


class OptionError(PincelError):
    code = "option.invalid"
    exit_status = 2
    remedy = "See `pincel COMMAND --help` for the options and their ranges."


class TaskUnknown(OptionError):
    code = "option.task"
    remedy = "Choose one of the tasks that `pincel models list` shows."


class GeneratorUnknown(OptionError):
    code = "option.generator"
    remedy = "`pincel models list` shows the generators there are."


# ---- results -----------------------------------------------------------------------------------------------------


class OutputError(PincelError):
    code = "output.failed"
    exit_status = 4
    remedy = "Choose another place (-o) and try again; the source is untouched."


class OutputExists(OutputError):
    code = "output.exists"
    remedy = "Choose another name (-o), or allow it: --overwrite (overwrite=True)."


class OutputIsSource(OutputError):
    code = "output.is-source"
    remedy = "Choose another name (-o): Pincel never writes over the picture that it reads."


class OutputFormat(OutputError):
    code = "output.format"
    remedy = "Use a name that ends in .png, .jpg, .tif or .webp."


class DiskFull(OutputError):
    code = "output.disk-full"
    remedy = "Free some space or choose another disk (-o); no half-written file was left."


class NotWritable(OutputError):
    code = "output.not-writable"
    remedy = "Choose a folder that you may write to (-o)."


class NoProfile(OutputError):
    code = "output.no-profile"
    remedy = "Start the editor once, so that it makes its folders, then try again; or name one with --folder."


# ---- weights -----------------------------------------------------------------------------------------------------


class WeightsError(PincelError):
    code = "weights.invalid"
    exit_status = 5
    remedy = "Run `pincel models verify`; install Pincel again if a shipped file is damaged."


class WeightsMissing(WeightsError):
    code = "weights.missing"
    remedy = "Install Pincel again, or put the file in the models folder that `pincel doctor` shows."


class WeightsTruncated(WeightsError):
    code = "weights.truncated"
    remedy = "The file is damaged: copy or download it again."


class WeightsPickle(WeightsError):
    code = "weights.pickle"
    remedy = "Pickled weights can run any code and are refused: get the file as safetensors."


class WeightsShape(WeightsError):
    code = "weights.shape"
    remedy = "The file belongs to another generator or another size of it: check where it came from."


class WeightsMetadata(WeightsError):
    code = "weights.metadata"
    remedy = "Give a .safetensors file that Pincel's training exported: `pincel train --publish` makes one."


class WeightsChanged(WeightsError):
    code = "weights.changed"
    remedy = "The file was changed or damaged after it was published: install Pincel again."


class WeightsNotFinite(WeightsError):
    code = "weights.not-finite"
    remedy = "The training that made these weights failed: use another file."


# ---- the service -------------------------------------------------------------------------------------------------


class EngineError(PincelError):
    code = "engine.failed"
    exit_status = 6
    remedy = "Run `pincel status`, then `pincel stop` and try again."


class EngineNotRunning(EngineError):
    code = "engine.not-running"
    remedy = "Start it with `pincel serve`."


class EngineNotAnswering(EngineError):
    code = "engine.not-answering"
    remedy = "Run `pincel stop`, then `pincel serve`."


class EngineStart(EngineError):
    code = "engine.start"
    remedy = "Run `pincel serve` in a terminal to see why it does not start."


class PortTaken(EngineError):
    code = "engine.port-taken"
    remedy = "Leave --port away (a free one is chosen), or name another."


class NotLoopback(EngineError):
    code = "engine.not-loopback"
    remedy = "Keep the engine on 127.0.0.1 and open a paired door for other machines: `pincel serve --remote ADDRESS`."


class WrongKey(EngineError):
    code = "engine.wrong-key"
    remedy = "Try again, the engine may have been started anew; else end its process (`pincel doctor` names it) and start it."


class ProtocolMismatch(EngineError):
    code = "engine.protocol"
    remedy = "Update the older of the two: run `pincel --version` and install the plug-in again."


class MessageMalformed(EngineError):
    code = "engine.malformed"
    remedy = "Update the plug-in or script that sent the message; engine/client/PROTOCOL.md describes the form."


class MessageTooLarge(EngineError):
    code = "engine.too-large"
    remedy = "Send a smaller picture, or raise the limit with `pincel serve --max-bytes`."


class QueueFull(EngineError):
    code = "engine.queue-full"
    remedy = "Wait for some jobs to finish, then send it again."


class WorkerLost(EngineError):
    code = "engine.worker-lost"
    remedy = "The worker died twice on this job: try a smaller picture, and run `pincel doctor`."


class OutOfMemory(EngineError):
    code = "engine.out-of-memory"
    remedy = "Close other programs, or work on a smaller picture or selection."


class Stopping(EngineError):
    code = "engine.stopping"
    remedy = "Start it again with `pincel serve`, and ask again."


# ---- training ----------------------------------------------------------------------------------------------------


class TrainingError(PincelError):
    code = "training.failed"
    exit_status = 7
    remedy = "See `pincel train --help`, and stats.jsonl in the run's folder for what happened."


class NothingToResume(TrainingError):
    code = "training.no-checkpoint"
    remedy = "Name the folder of a run that has a checkpoint.pt with --out, or begin anew without --resume."


class Diverged(TrainingError):
    code = "training.diverged"
    remedy = "Go on from the last checkpoint with --resume, and with a lower rate (--set lr=...) if it happens again."
