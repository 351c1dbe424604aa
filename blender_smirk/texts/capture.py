# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the capture panel and its operators."""

from __future__ import annotations

__all__: list[str] = []

PANEL = "Capture"
ADVANCED = "Advanced"

# Labels and tooltips of the settings
MEDIA = "Media"
MEDIA_TIP = "Photo, video, folder of pictures or first picture of a numbered run that shows a face"
FILES_MORE = "{count} more"
SEQUENCE = "Whole Sequence"
SEQUENCE_TIP = "Read the whole numbered run that this picture belongs to, not the picture alone"
FACES = "Faces"
FACES_TIP = "Whom to capture where several faces are in the picture"
FACES_LARGEST = "Largest"
FACES_LARGEST_TIP = "The face that is largest over the whole footage"
FACES_ALL = "All"
FACES_ALL_TIP = "Every face; each becomes a head of its own"
FACES_COUNT = "Count"
FACES_COUNT_TIP = "So many of the largest faces"
FACES_PICKED = "Picked"
FACES_PICKED_TIP = "The faces that are ticked below"
COUNT = "Number"
COUNT_TIP = "How many of the largest faces to capture"
PICKED = "Capture"
PICKED_TIP = "Capture this face"
RANGE = "Range"
RANGE_TIP = "Read a part of the footage only"
START = "First"
START_TIP = "First frame of the footage that is read, counted from 0"
END = "End"
END_TIP = "Frame of the footage before which reading stops; 0 is the end of the footage"
STEP = "Step"
STEP_TIP = "Read every so manieth frame; the gaps are filled by the curves between the keys"
HEAD = "Head"
HEAD_TIP = "Which head model the face is put on"
HEAD_OPEN = "Open Head"
HEAD_OPEN_TIP = "The head that comes with the add-on, free for any use"
HEAD_FLAME = "Imported FLAME"
HEAD_FLAME_TIP = "The FLAME model among your files, see the add-on's preferences"
HEAD_FILE = "From File"
HEAD_FILE_TIP = "A head model of your own, such as a FLAME file"
HEAD_PATH = "Head File"
HEAD_PATH_TIP = "File of the head model"
TARGET = "Onto"
TARGET_TIP = "Where the performance goes"
TARGET_NEW = "New Head"
TARGET_NEW_TIP = "Build a head with the shape of the captured face"
TARGET_SELECTED = "Selected Head"
TARGET_SELECTED_TIP = "Give the selected head this performance; its face stays whose it is and its old take is kept"
FRAME_START = "Scene Frame"
FRAME_START_TIP = "Scene frame on which the take begins"
FOOTAGE = "Footage and Sound"
FOOTAGE_TIP = "Show the footage behind the head and bring its sound into the sequencer"
SOLVE = "Solve Whole Clip"
SOLVE_TIP = "Fit all frames together, which is steadier; without it every frame stands alone"
RAW = "Without Filters"
RAW_TIP = "Key the take as it was solved, without its filters"
LENS = "Lens"
LENS_TIP = "Focal length of the perspective camera in millimetres"
ENCODER = "Encoder"
ENCODER_TIP = "Neural network that reads the expression from the pixels, beside the landmarks"
ENCODER_AUTO = "Automatic"
ENCODER_AUTO_TIP = "The encoder that comes with the add-on where the head is the open one, else none"
ENCODER_NONE = "None"
ENCODER_NONE_TIP = "Landmarks and the solve do the work"
ENCODER_SMIRK = "Imported SMIRK"
ENCODER_SMIRK_TIP = "The SMIRK checkpoint among your files, see the add-on's preferences"
ENCODER_FILE = "From File"
ENCODER_FILE_TIP = "A SMIRK checkpoint (.pt, .safetensors or .onnx)"
ENCODER_PATH = "Encoder File"
ENCODER_PATH_TIP = "File of the image encoder"

# What the media field shows of the file
KIND = {"photo": "Photo", "video": "Video", "sequence": "Picture sequence"}
LOOKING = "Looking at the file…"
NO_MEDIA = "Choose a photo or video, or drop it here"
SOUND = "sound"
FRAMES = "{count} frames"
WITH = "Options"

# Operators: label, tooltip
CAPTURE = (
    "Capture",
    "Turn the face in the photo or video into an animated head. ESC in a 3D view stops and keeps what was read, ESC "
    "again throws it away. Pressed again while capturing, it queues the next one",
)
CAPTURE_MANY = "Capture {count} Files"
CAPTURE_NEXT = "Queue Another"
CANCEL = ("Cancel", "Stop capturing; what was read so far is kept, a second Cancel throws it away")
DISCARD = ("Discard", "End the capture at once and keep nothing")
UNQUEUE = ("Remove from Queue", "Take the captures that wait out of the queue")
FIND_FACES = ("Find Faces", "Look through the footage for faces, to pick which ones are captured")
COPY_REPORT = ("Copy Report", "Copy what happened, with versions and the log, for a bug report")
DISMISS = ("Dismiss", "Hide this message")
PICK_MEDIA = ("Choose Media", "Choose one or more photos or videos, or the first picture of a sequence")
DROP_MEDIA = ("Capture Face", "Capture the face of the dropped photo or video")
CLEAR_MEDIA = ("Clear Media", "Forget the chosen files")

# Why a button is greyed out
POLL_MEDIA = "Choose a photo or video first"
POLL_IDLE = "Nothing is being captured"
POLL_QUEUE = "Nothing waits"
POLL_REPORT = "There is nothing to report"
POLL_BUSY = "Wait for the capture to end"

# Progress
STARTING = "Starting"
STAGES = {"Reading faces": "Reading faces", "Solving": "Solving the clip"}
STOPPING = "Stopping"
STOPPING_KEEPS = "What was read is kept"
PREPARING = "Loading the take"
WAITING = "Ready: go back to Object Mode, and the head is built"
BUILDING = "Building the head"
QUEUED = "{count} waiting"
LEFT_SECONDS = "{seconds} s left"
LEFT_MINUTES = "{minutes}:{seconds:02d} min left"
STATUS = "Capturing {name}: {text}"
STATUS_KEYS = "ESC in a 3D view: stop and keep what was read"
STATUS_KEYS_AGAIN = "ESC in a 3D view: throw it away"

# Messages
UNDO = "Capture {name}"
DONE_ONE = "{name}: {frames} frames captured"
DONE_PHOTO = "{name}: captured"
DONE_MANY = "{name}: {faces} faces, {frames} frames each"
DONE_PARTIAL = "{name}: stopped, {frames} frames kept"
DONE_QUEUE = "{done} of {count} captures done"
STOPPED = "{name}: capture stopped, nothing was kept"
CRASHED = "The tracking process was ended from outside or crashed ({reason}); the scene is as before. Capture again."
FAILED_BUILD = "The head could not be built, the scene is as before: {reason}"
NO_FOOTAGE = "{name} is no longer there, so the head came without footage and sound"
TARGET_GONE = "The selected head is gone, so a new one was made"
NO_SELECTED_HEAD = "Select a head that this add-on made, or choose to make a new one."
FACES_FOUND = "{count} faces found"
FACE_FOUND = "One face found"
FACE_LABEL = "Face {number}"
FACE_SEEN = "{share}% of the frames"
FACES_MISSING = "Only {found} of the picked faces were found again"
NO_FACE_PICKED = "Tick at least one face, or capture the largest."
QUEUE_ADDED = "{name} waits in the queue"
DROPPED_QUEUE = "Taken out of the queue: {count}"
REPORT_COPIED = "The report is in the clipboard"
ENDED_BY_FILE = "The capture was ended because another file was opened"
