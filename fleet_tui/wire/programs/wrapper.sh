# fleet-tui's run wrapper: runs a program on a host and remembers what became of it.
#
# It is sent anew for every question, so nothing is installed and nothing can be tampered with. It
# must work in dash, bash and busybox sh, on Linux and macOS. wire/programs/wrapper.py strips the comments,
# sends it, and documents the questions and answers.
#
# Every run has a directory. Two names in it decide everything, each made in one atomic step:
#   owner  made by ln, which fails if it exists: "run PID BEGAN BOOT MS" by the process that runs
#          the program, or a tombstone ("fenced", "lost") by whoever found that nothing runs.
#          The program starts only after its process won this name: a tombstone is final.
#   rc     made by mv when the program has ended: "STATUS ENDED-MS SIZE SHA256 HOW TOOK-MS". HOW is
#          exit, signal, or unsure where nothing here can tell the two apart. What is not known is
#          a dash. Wrappers of before this left four words, and let the program work beside them.
# The program works in work/run: what it does to its directory does nothing to these.
#
# Beside the runs is .claims with a second link to every owner that is a process, made before its
# program starts: should a program delete all of its run's directory, the link says whose the run
# is, and the process that waits for it makes the directory anew for the record.
#
# Beside the runs is also a file epoch: "NEWEST BEGINNING FOUNDED-MS", the newest engine that was
# here, the beginning since which no run was lost, and when that was. If runs were deleted, or put
# back from an older copy, finding nothing of one planned before proves nothing: then a tombstone
# says "lost", not "fenced". A file began.BEGINNING, made by ln, has its FOUNDED-MS: whoever else
# meets that beginning at the same moment tells the same.

# What a program is started with, as its account has it: here all is read as bytes, and private.
locale=${LC_ALL-} mask=$(umask)
LC_ALL=C; export LC_ALL
umask 077
set -f

say() { printf '%s\n' "$*"; }
nap() { sleep "$1" 2>/dev/null || sleep 1; }

# size_of FILE: as ls tells it, for many a wc reads all of the file; 0 for what is no file.
size_of() {
  [ -f "$1" ] || { printf 0; return; }
  set -- $(ls -dlnL "$1" 2>/dev/null)
  printf %s "${5:-0}"
}

# now_ms: a dash where the clock cannot be read.
now_ms() {
  now=$(date +%s%3N 2>/dev/null)
  case $now in ''|*[!0-9]*) now=$(date +%s 2>/dev/null)000 ;; esac
  case $now in 000|*[!0-9]*) now=- ;; esac
  printf %s "$now"
}

# up_ms: milliseconds on a clock that nobody sets, where there is one: for spans alone.
up_ms() {
  if { read -r up _ < /proc/uptime; } 2>/dev/null; then
    up=${up%.*}${up#*.}0
    printf %s "${up#"${up%%[!0]*}"}"
  else now_ms
  fi
}

# span FROM TO: milliseconds; a dash where a clock was set back, or was never read.
span() {
  case $1$2 in ''|*[!0-9]*) printf -; return ;; esac
  if [ -n "$1" ] && [ "$1" -gt 0 ] && [ "$2" -ge "$1" ]; then printf %s "$(($2 - $1))"
  else printf -
  fi
}

sha256() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum
  elif command -v shasum >/dev/null 2>&1; then shasum -a 256
  else openssl dgst -sha256 -r
  fi | { read -r sum _; printf %s "$sum"; }
}

boot_id() {
  if { read -r boot < /proc/sys/kernel/random/boot_id; } 2>/dev/null; then :
  else boot=$(sysctl -n kern.boottime 2>/dev/null | tr -dc 0-9)
  fi
  boot=${boot:-unknown}
}

# began PID: sets BEGAN to its start time; fails if there is no such living process.
# A pid alone proves nothing, for pids are used again.
began() {
  BEGAN=
  if [ -r /proc/self/stat ]; then
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 1
    set -- ${stat##*") "}
    [ $# -ge 20 ] || return 1
    state=$1
    shift 19
    BEGAN=$1
    [ "$state" != Z ]
  else
    BEGAN=$(ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' _)
    [ -n "$BEGAN" ]
  fi
}

# members PID: sets MEMBERS to the processes that live in the group or the session of a wrapper, and
# TEAMS to their groups other than its own; fails where /proc does not tell.
members() {
  MEMBERS= TEAMS=
  [ -r /proc/self/stat ] || return 1
  set +f; set -- "$1" /proc/[0-9]*/stat; set -f
  leader=$1
  shift
  for entry; do
    { read -r stat < "$entry"; } 2>/dev/null || continue
    set -- ${stat##*") "}
    [ "$1" != Z ] || continue
    if [ "${3:-}" = "$leader" ] || [ "${4:-}" = "$leader" ]; then
      entry=${entry#/proc/}
      MEMBERS="$MEMBERS ${entry%/stat}"
      case " $leader$TEAMS " in *" $3 "*) ;; *) TEAMS="$TEAMS $3" ;; esac
    fi
  done
}

# group_lives PID: whether the program lives on without its wrapper.
group_lives() {
  if members "$1"; then [ -n "$MEMBERS" ]; else kill -0 "-$1" 2>/dev/null; fi
}

# signal NAME: to all that the run started. Who waits for it hears all but KILL, and ignores it: it has
# to write down how the run ends. Where the program has no group of its own it shares theirs.
signal() {
  members "$pid" || TEAMS=
  for team in $TEAMS; do kill "-$1" "-$team"; done 2>/dev/null
  if [ "$1" != KILL ] || [ -z "$TEAMS" ]; then kill "-$1" "-$pid" 2>/dev/null; fi
  # Once the wrapper is gone nobody else reaps what is left.
  began "$pid" || { [ -z "$MEMBERS" ] || kill "-$1" $MEMBERS; } 2>/dev/null
}

# kill_run: kills the run, and its wrapper too if that does not write down the end in time.
kill_run() {
  signal KILL
  left=30
  while [ "$left" -gt 0 ] && ! is_file "$run/rc" && lives; do
    nap 0.1
    left=$((left - 1))
  done
  if ! is_file "$run/rc" && lives; then
    kill -KILL "-$pid" 2>/dev/null
    signal KILL
    nap 0.2
  fi
}

# keepers_of PID: sets KEEPERS to the process that waits for the program, where it is another than
# the wrapper (see PARENT).
keepers_of() {
  KEEPERS=
  kids_of "$1" || born_of "$1"
  for kid in $KIDS; do
    case $(tr '\0' ' ' < "/proc/$kid/cmdline") in
      *perl*'print "B"'*) KEEPERS="$KEEPERS $kid" ;;
    esac
  done 2>/dev/null
}

# wake: a program may have stopped (SIGSTOP) who waits for it: then nobody would write down its end.
# The program itself is left as it is: whoever stopped it may have a reason.
wake() {
  [ "$kind" = run ] && [ "$home" = "$boot" ] && began "$pid" && [ "$BEGAN" = "$born" ] || return 0
  keepers_of "$pid"
  kill -CONT "$pid" $KEEPERS 2>/dev/null
}

# born_of PID: sets KIDS as kids_of does, where the kernel tells only whose each process is.
born_of() {
  KIDS=
  set +f; set -- "$1" /proc/[0-9]*/stat; set -f
  leader=$1
  shift
  for entry; do
    { read -r stat < "$entry"; } 2>/dev/null || continue
    set -- ${stat##*") "}
    entry=${entry#/proc/}
    [ "${2:-}" != "$leader" ] || KIDS="$KIDS ${entry%/stat}"
  done
}

# kids_of PID: sets KIDS to what a process started and waits for; fails where that is not told.
kids_of() {
  KIDS=
  [ -r "/proc/$1/task/$1/children" ] || return 1
  # A line without its end.
  { read -r KIDS < "/proc/$1/task/$1/children"; } 2>/dev/null || :
}

# waits_for_kids PID: whether a process does nothing but wait for what it started, as shells do; sets
# KIDS. Where the kernel does not tell what it waits for, it does not.
waits_for_kids() {
  kids_of "$1" && [ -n "$KIDS" ] || return 1
  within=
  { read -r within < "/proc/$1/wchan"; } 2>/dev/null
  case $within in do_wait*|*sigsuspend*) ;; *) return 1 ;; esac
}

# is_stopped PID: whether a process is (SIGSTOP); sets WORKED to the ticks it has worked for.
is_stopped() {
  { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 1
  set -- ${stat##*") "}
  WORKED=${12}+${13}
  case $1 in T|t) ;; *) return 1 ;; esac
}

# stops_seen: whether the program is stopped now, or all that it waits for; sets SEEN to who that
# is.
stops_seen() {
  SEEN=
  if began "$pid"; then
    keepers_of "$pid"
    tree=
    for kid in ${KEEPERS:-$pid}; do kids_of "$kid" && tree="$tree $KIDS"; done
  else
    members "$pid" && tree=$MEMBERS
  fi || return 1
  set -- $tree
  while [ $# -gt 0 ]; do
    if is_stopped "$1"; then SEEN="$SEEN $1:$WORKED"
    elif waits_for_kids "$1"; then set -- "$@" $KIDS
    else return 1
    fi
    shift
  done
  [ -n "$SEEN" ]
}

# suspended: whether the program is stopped, and not only for a moment: what lets one work slower
# stops it again and again.
suspended() {
  stops_seen || return 1
  seen=$SEEN
  nap 1
  stops_seen && [ "$SEEN" = "$seen" ]
}

# read_owner: sets kind, pid, born, home and since; fails if nobody owns the run yet.
read_owner() {
  kind= pid= born= home= since=0
  # Once made, the second link is what counts: a tombstone beside it was left where the program had
  # deleted the first.
  owned=$runs/.claims/$id
  is_file "$owned" || owned=$run/owner
  [ -f "$owned" ] || return 1
  read -r kind pid born home since < "$owned"
  # What is empty or torn proves nothing: a crash or a full disk ate what was in it.
  case $kind in run|fenced) ;; *) kind=lost ;; esac
}

# place_of_work: sets work, where the program leaves its checkpoint and usage.json. Runs of before
# it had a directory of its own left them beside the rest.
place_of_work() {
  work=$run/work/run
  [ -d "$run/work" ] || work=$run
}

lives() {
  [ "$home" = "$boot" ] || return 1
  if began "$pid"; then [ "$BEGAN" = "$born" ]; else group_lives "$pid"; fi
}

# is_owned: whether somebody owns the run, or a tombstone says that nobody will.
is_owned() { [ -f "$run/owner" ] || is_file "$runs/.claims/$id"; }

# is_dir NAME: whether it is a directory that can be worked in. A link may lead anywhere.
is_dir() { [ -d "$1" ] && [ ! -L "$1" ] && [ -w "$1" ] && [ -x "$1" ]; }

# make_dir NAME: makes it one, whatever a program put in its place.
make_dir() {
  is_dir "$1" && return
  if [ -L "$1" ] || [ ! -d "$1" ]; then rm -f "$1"; mkdir "$1"; else chmod u+rwx "$1"; fi
} 2>/dev/null

# remake: makes the directory of a run anew that its program deleted, moved or closed.
remake() {
  is_file "$runs/.claims/$id" || return 0
  make_dir "$run"
  [ -f "$run/owner" ] || ln "$runs/.claims/$id" "$run/owner" 2>/dev/null
}

# find_owner: a program may delete all that is known of its run. The process that owns the run is
# still known by its user, by its arguments, and as the leader of a session. Writes down again that
# it owns the run.
find_owner() {
  nl=$(printf '\nx')
  nl=${nl%x}
  set +f
  set -- $(grep -lF "$run" /proc/[0-9]*/cmdline 2>/dev/null)
  set -f
  for entry; do
    entry=${entry#/proc/}
    entry=${entry%/cmdline}
    case $(tr '\0' '\n' < "/proc/$entry/cmdline") in
      *"fleet-tui${nl}child${nl}$run") ;;
      *) continue ;;
    esac
    kill -0 "$entry" && began "$entry" || continue
    { read -r stat < "/proc/$entry/stat"; } || continue
    set -- ${stat##*") "}
    [ "$4" = "$entry" ] || continue
    make_dir "$runs/.claims"
    say "run $entry $BEGAN $boot" > "$runs/.claims/.$id.$$" &&
      ln "$runs/.claims/.$id.$$" "$runs/.claims/$id"
    rm -f "$runs/.claims/.$id.$$"
    remake
    is_owned
    return
  done
  return 1
} 2>/dev/null

# bury WORD: leaves a tombstone where no process owns the run. Without a directory it was never here,
# or its program has just deleted it.
bury() {
  ! mkdir "$run" 2>/dev/null || ! find_owner || return 0
  if say "$1" > "$run/tomb.$$" && [ -s "$run/tomb.$$" ]; then
    ln "$run/tomb.$$" "$run/owner"
  fi 2>/dev/null
  rm -f "$run/tomb.$$"
}

await_owner() {
  waited=0
  pause=0.02
  until is_owned || [ "$waited" -ge 40 ]; do
    nap "$pause"
    waited=$((waited + 1))
    [ "$waited" -lt 10 ] || pause=0.1
  done
}

blob() {
  say "blob $1 $3"
  "$4" -c "$3" "$2"
  say
}

# checkpoint: what the program left there, and its hash, by which a file that was written to
# meanwhile is found out. A name of its own keeps the file when a newer one takes its place.
checkpoint() {
  place_of_work
  [ -f "$work/checkpoint" ] || return 0
  mark=$run/checkpoint.$$
  ln "$work/checkpoint" "$mark" 2>/dev/null || return 0
  have=$(size_of "$mark")
  if [ "$have" -gt 0 ] && [ "$have" -le "$text_bytes" ]; then
    say "checkpoint $(sha256 < "$mark")"
    say "blob checkpoint $have"
    { cat "$mark"; head -c "$have" /dev/zero; } 2>/dev/null | head -c "$have"
    say
  fi
  rm -f "$mark"
}

# some_of LABEL FILE MOST WHICH: the beginning or the end of a file, if there is one to read.
some_of() {
  is_file "$2" && [ -r "$2" ] || return 0
  have=$(size_of "$2")
  [ "$have" -le "$3" ] || have=$3
  blob "$1" "$2" "$have" "$4"
}

# output: what the program printed until it ended, as far as it is taken. Whoever it left behind may
# have printed more since: that is no part of it. "lost" where it is not what was counted.
output() {
  if [ ! -f "$run/out" ] || [ ! -r "$run/out" ] || [ "$size" = - ] || [ "$(size_of "$run/out")" -lt "$size" ]; then
    say "output lost"
  elif [ "$size" -gt "$text_bytes" ]; then
    blob out "$run/out" "$text_bytes" head
  elif [ "$(head -c "$size" "$run/out" | sha256)" = "$sum" ]; then
    blob out "$run/out" "$size" head
  else
    say "output lost"
  fi
}

# is_count WORD: whether it is a number as answers have them.
is_count() { case $1 in ''|*[!0-9]*|0?*|????????????????*) return 1 ;; esac; }

# ended: how the run ended, from what was written down then. What is not as it must be is not known;
# where a word is missing, nobody knows which the others are.
ended() {
  read -r rc at size sum how took _ < "$run/rc"
  if ! is_count "$rc" || [ "$rc" -gt 255 ]; then say "state failed no-result"; return; fi
  case ${how:=unsure} in exit|signal|unsure) ;; *) how=unsure at= took=- size=- ;; esac
  is_count "$at" || at=
  read_owner
  took=${took:-$(span "$since" "$at")}
  is_count "$took" || took=-
  case $sum in *[!0-9a-f]*) sum= ;; esac
  if ! is_count "$size" || [ ${#sum} != 64 ]; then size=- sum=-; fi
  if [ -f "$run/stop" ] && [ "$rc" != 0 ]; then word=stopped; else word=done; fi
  say "state $word $rc $took $size $sum"
  say "ended $how"
  output
  place_of_work
  some_of err "$run/err" 2000 tail
  some_of usage "$work/usage.json" 4096 head
  [ "$rc" = 0 ] || checkpoint
}

report() {
  if is_file "$run/rc"; then
    ended
  elif ! read_owner; then
    say "state failed no-owner"
  elif [ "$kind" = lost ]; then
    say "state lost"
  elif [ "$kind" != run ]; then
    say "state fenced"
  elif lives; then
    say "state running $(size_of "$run/out")"
    ! suspended || say suspended
    checkpoint
  elif is_file "$run/rc"; then
    report
  elif [ -f "$run/stop" ]; then
    say "state stopped"
    checkpoint
  elif [ "$home" != "$boot" ]; then
    say "state dead host-rebooted"
    checkpoint
  else
    say "state dead process-gone"
    some_of err "$run/err" 2000 tail
    checkpoint
  fi
}

# The program's parent where there is perl, which alone of what hosts have can tell an exit status of
# 143 from a death by SIGTERM. It prints B, then the status as waitpid(2) has it. A program may signal
# its whole group, also with what nobody can catch, so it gets one without its parent in it. Another
# leads that group until the program has joined: of a leader setsid(1) makes two, and goes on in the
# one that nobody waits for. The parent leaves their session, or its death would orphan the group, and
# the kernel hangs up on those of an orphaned group that are stopped. What is caught here has its usual
# effect on the program again, also where a shell had INT and QUIT ignored because it runs in the
# background.
PARENT='$SIG{$_} = sub {} for qw(
HUP INT QUIT USR1 USR2 PIPE ALRM TERM ABRT XCPU XFSZ VTALRM PROF); $| = 1; print "B";
my $g = -r "/proc/self/stat" ? fork : undef;
if (defined $g and !$g) { sleep 60; exit }
pipe R, W;
my $k = fork;
if (defined $k and !$k) { close W; sysread R, $k, 1; exec {$ARGV[0]} @ARGV; exit 127 }
if ($g) {
  setpgrp $g, $g;
  setpgrp $k, $g if $k;
  kill KILL => $g;
  waitpid $g, 0;
  eval { require POSIX; POSIX::setsid() };
}
close W;
if ($k) { waitpid $k, 0 } else { $? = -1 }
print " $?"'

# run_apart JOB: the same where there is none and the shell can give what it starts a group; sets rc.
run_apart() {
  [ -r /proc/self/stat ] || return 1
  # A shell that cannot may end at once.
  (set -m) || return 1
  set -m
  case $- in *m*) ;; *) return 1 ;; esac
  : | sh -c "$1" job "$run" "$locale" "$mask" &
  apart=$! rc=127
  set +m
  # A signal that is caught here ends one wait, not the program.
  while kill -0 "$apart"; do wait "$apart"; rc=$?; done
  wait "$apart"
  told=$?
  [ "$told" = 127 ] || rc=$told
  # Bash says -1 at times where a signal came between the end and the wait for it.
  is_count "$rc" || rc=255
} 2>/dev/null

# run_job: runs the program to its end; sets rc and how. Fails if it lost sight of it.
run_job() {
  job='umask "$3"; LC_ALL=$2; [ -n "$2" ] || unset LC_ALL; cd "$1/work/run" && exec sh "$1/job" < "$1/task" > "$1/out" 2> "$1/err" 3<&-'
  told=
  if command -v perl >/dev/null 2>&1; then
    told=$(perl -e "$PARENT" sh -c "$job" job "$run" "$locale" "$mask")
  fi
  case $told in
    "B "[0-9]*)
      told=${told#B }
      if [ $((told % 128)) -eq 0 ]; then how=exit rc=$((told / 256))
      else how=signal rc=$((128 + told % 128))
      fi ;;
    ""|"B -1")
      how=unsure
      run_apart "$job" || { sh -c "$job" job "$run" "$locale" "$mask"; rc=$?; }
      # As ksh (256 and more) and yash (384 and more) tell it.
      [ "$rc" -le 256 ] || { rc=$((128 + rc % 128)); how=signal; } ;;
    *) return 1 ;;
  esac
}

# is_file NAME: whether it is a file and no link to one, which may lead anywhere.
is_file() { [ -f "$1" ] && [ ! -L "$1" ]; }

# keep_output: counts and hashes what was printed. Should the program have deleted even this, or put
# something else in its place, it comes back from the descriptor.
keep_output() {
  is_file out || { rm -rf out; cat <&3 > out; }
  size=$(size_of out)
  sum=$(head -c "$size" out | sha256)
  if [ -z "$size" ] || [ -z "$sum" ]; then size=- sum=-; fi
} 2>/dev/null

# leads: whether this process can be known again, and ended together with all it starts. Without
# setsid and perl, not every shell can bring that about.
leads() { began $$ && kill -0 "-$$" 2>/dev/null; }

# What a program may send to its whole group. Not what a shell gets by a fault of its own: it would
# go on to the same fault. ABRT is 6 everywhere, and has another name in zsh.
SENT="HUP INT QUIT USR1 USR2 PIPE ALRM TERM 6 XCPU XFSZ VTALRM PROF"

# child RUN: the process that owns a run. It leads a session of its own, so that it outlives the
# connection and can be ended together with whatever the program starts.
child() {
  unset FLEET_TUI_WRAPPER
  cd "$1" && run=$(pwd) || exit 1
  id=${run##*/} runs=${run%/*}
  claim=$runs/.claims/$id
  boot_id
  leads && mkdir -p work/run || exit 1
  owner="run $$ $BEGAN $boot $(now_ms)"
  say "$owner" > owner.$$ && [ -s owner.$$ ] || exit 1
  : > out
  : > err
  # Room for the result, should the program fill the disk.
  printf '%-250s\n' room > rc.new && [ -s rc.new ] || exit 1
  exec 3< out
  sync owner.$$ 2>/dev/null
  ln owner.$$ owner 2>/dev/null || exit 1
  make_dir "$runs/.claims"
  ln owner.$$ "$claim" 2>/dev/null
  rm -f owner.$$
  { read -r _ founded < "$runs/epoch"; } 2>/dev/null
  # On the disk before the program does anything: after a power cut it must not seem never to
  # have run.
  sync . .. "$runs/.claims" 2>/dev/null
  trap : $SENT
  from=$(up_ms)
  run_job || exit 1
  # Not only caught any more: what is signalled now, by whoever cancels the run, goes also to the
  # tools that write down its end.
  trap '' $SENT
  took=$(span "$from" "$(up_ms)")
  come_back || exit 1
  keep_output
  is_file rc.new || rm -rf rc.new
  # Over what was there, for there may be no room for more.
  printf '%-250s\n' "$rc $(now_ms) $size $sum $how $took" 1<> rc.new || exit 1
  reclaim || exit 1
  sync out rc.new 2>/dev/null
  # Moved into a directory of that name it would not be the record.
  is_file rc || rm -rf rc
  mv rc.new rc
  sync . 2>/dev/null
}

# come_back: to the directory of the run, wherever its program has left us. If it is gone with the
# claim, but the runs beside it are not, then its program deleted both, unless the run is so old that
# it may have been collected: nobody asks for that any more.
come_back() {
  if ! is_file "$claim" && [ ! -d "$run" ] && [ "$took" != - ] && [ "$took" -ge 604800000 ]; then
    now=
    { read -r _ now < "$runs/epoch"; } 2>/dev/null
    [ -z "$now" ] || [ "$now" != "$founded" ] || return 1
  fi
  mkdir -p "$runs" 2>/dev/null
  make_dir "$run"
  cd "$run"
}

# reclaim: whether the run is still ours. Once the program had deleted what says so, somebody may
# have left a tombstone, and "fenced" is final. "lost" was said of what nothing was known of.
reclaim() {
  mine="run $$ $BEGAN $boot"
  say "$owner" > owner.$$
  now=
  { read -r now < "$claim"; } 2>/dev/null
  case $now in
    "$mine"*) ln "$claim" owner ;;
    *)
      ln owner.$$ owner
      { read -r now < owner; } || now=
      case $now in
        "$mine"*) ;;
        lost) mv owner.$$ owner ;;
        *) rm -f owner.$$; return 1 ;;
      esac ;;
  esac
  rm -f owner.$$
} 2>/dev/null

# detach WORD DIRECTORY: leaves a process of ours behind that outlives the connection. Its
# environment has the secrets of the run, which are in no file and in no list of arguments.
detach() {
  (
    FLEET_TUI_WRAPPER=$s FLEET_TUI_GIVEN=$given
    export FLEET_TUI_WRAPPER FLEET_TUI_GIVEN
    umask "$mask"
    LC_ALL=$locale
    [ -n "$locale" ] || unset LC_ALL
    if command -v setsid >/dev/null 2>&1; then
      exec setsid sh -c 'eval "$FLEET_TUI_WRAPPER"' fleet-tui "$1" "$2"
    elif command -v perl >/dev/null 2>&1; then
      exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' \
        sh -c 'eval "$FLEET_TUI_WRAPPER"' fleet-tui "$1" "$2"
    else
      set -m
      sh -c 'eval "$FLEET_TUI_WRAPPER"' fleet-tui "$1" "$2" &
    fi
  ) </dev/null >/dev/null 2>&1 &
}

# free_kb DIRECTORY: what stands before the percentage, for a name before it may have spaces; a dash
# where df does not say.
free_kb() {
  line=$(df -Pk "$1" 2>/dev/null | { read -r _; read -r line; printf %s "$line"; })
  case $line in
    *" "[0-9]*"% "*) for free in ${line%" "[0-9]*"% "*}; do :; done ;;
    *) free=$(set -- $line; printf %s "${4:-}") ;;
  esac
  case $free in ''|*[!0-9]*) free=- ;; esac
  printf %s "$free"
}

# has_room: whether the file system of the runs has it. Whoever does not say how much is believed to
# have none.
has_room() {
  free=$(free_kb "$runs")
  [ "$free" != - ] && [ "$free" -ge "$least_kb" ]
}

refuse() {
  bury fenced
  rm -f "$run/in" "$run/job" "$run/task"
  [ ! -f "$run/owner" ] || say buried
  say "state refused $1"
}

start() {
  read -r bytes && read -r job_bytes && read -r sum && read -r least_kb &&
    IFS= read -r given || return
  remake
  if ! mkdir "$run" 2>/dev/null; then
    if [ ! -d "$run" ]; then
      if has_room; then say "state refused no-run-dir"; else say "state refused disk-full"; fi
      return
    fi
    say exists
    await_owner
    is_owned || bury fenced
    report
    return
  fi
  # First, for without room it cannot be noted when the directory began either.
  if ! has_room; then refuse disk-full; return; fi
  # Planned before the runs here were deleted: its tombstone may have been among them.
  if ! is_of_then; then refuse run-dir-began-anew; return; fi
  cat > "$run/in" 2>/dev/null || { refuse disk-full; return; }
  if [ "$(size_of "$run/in")" -ne "$bytes" ]; then refuse short; return; fi
  if [ "$(sha256 < "$run/in")" != "$sum" ]; then refuse damaged; return; fi
  head -c "$job_bytes" "$run/in" > "$run/job" &&
    tail -c "+$((job_bytes + 1))" "$run/in" > "$run/task" || { refuse disk-full; return; }
  rm -f "$run/in"
  # What owns a run is known by a link. Found out before there is anything to be unsure about.
  if ! ln "$run/job" "$run/linked" 2>/dev/null; then refuse no-hard-links; return; fi
  rm -f "$run/linked"
  detach child "$run"
  await_owner
  is_owned || bury fenced
  report
}

probe() {
  settle
  report
}

# settle: afterwards somebody owns the run, and does not sleep.
settle() {
  remake
  [ ! -d "$run" ] || await_owner
  is_owned || bury "$tomb"
  ! read_owner || wake
}

# linger SECONDS WORD: waits for the end of a run, so that it is seen at once without asking often,
# or until its program is stopped, or goes on, unlike the word says (suspended, going).
linger() {
  read -r seconds && read -r told || return
  left=$((seconds * 5))
  settle
  while [ "$left" -gt 0 ] && [ "$kind" = run ] && ! is_file "$run/rc" && lives; do
    if [ $((left % 10)) -eq 0 ]; then
      if suspended; then found=suspended; else found=going; fi
      [ "$found" = "$told" ] || break
    fi
    nap 0.2
    left=$((left - 1))
  done
  probe
}

cancel() {
  read -r grace || return
  settle
  if [ "$kind" = run ] && ! is_file "$run/rc" && lives; then
    [ -f "$run/stop" ] || { rm -rf "$run/stop"; : > "$run/stop"; }
    signal TERM
    # What is stopped hears nothing else.
    signal CONT
    left=$((grace * 5))
    while [ "$left" -gt 0 ] && ! is_file "$run/rc" && lives; do
      nap 0.2
      left=$((left - 1))
    done
    ! lives || is_file "$run/rc" || kill_run
  fi
  report
}

collect() {
  while read -r id && [ -n "$id" ]; do
    run=$runs/$id
    usable_id || continue
    claim=$runs/.claims/$id
    if is_file "$run/rc" || [ -n "$(find "$run" "$claim" -prune -mtime +7 2>/dev/null)" ]; then
      # Programs leave directories behind in which nothing may be deleted.
      rm -rf "$run" 2>/dev/null || { chmod -R u+rwx "$run"; rm -rf "$run"; } 2>/dev/null
      rm -f "$claim"
    fi
    # Also what was never here, or went when nobody heard of it: nothing of it is left to delete.
    [ -e "$run" ] || is_file "$claim" || say "gone $id"
  done
  # What was broken off left its files under a name for the meantime.
  set +f; set -- "$runs"/.try.* "$runs"/epoch.* "$runs"/began.*.* \
    "$runs"/.claims/.[!.]*; set -f
  for old; do [ -z "$(find "$old" -prune -mtime +7 2>/dev/null)" ] || rm -rf "$old"; done
  say "state collected"
}

# kept: what the runs have here, a part of the names. Also what is no run, but for what could not be
# told: whoever asks knows its runs.
kept() {
  read -r skip most || return
  { ls "$runs"; ls "$runs/.claims"; } 2>/dev/null | tail -n "+$((skip + 1))" | head -n "$most" | {
    count=0
    while read -r id; do
      count=$((count + 1))
      if usable_id && [ ${#id} -le 128 ]; then say "kept $id"; fi
    done
    say "state kept $count"
  }
}

# What is used here beside what is built into every shell, and beside what has a second choice.
TOOLS="cat chmod date df find head ln ls mkdir mv rm sh sleep tail"

missing_tools() {
  for tool in $TOOLS; do
    command -v "$tool" >/dev/null 2>&1 || say "cannot tool $tool"
  done
  command -v sha256sum >/dev/null 2>&1 || command -v shasum >/dev/null 2>&1 ||
    command -v openssl >/dev/null 2>&1 || say "cannot tool sha256sum"
}

SHA256_OF_TRIED=b90bc9390bcd6bad933160c81fb4d7016601531fdbdcfeb8c31f71904bd9673b

cannot() { said=${2%%"$nl"*}; say "cannot $1 $(printf %.200s "$said")"; }

# rehearse: tries whatever a run will need, so that what this host cannot do is known before there
# is one. Says "cannot CODE WHAT-ITS-TOOLS-SAID" for each.
rehearse() {
  nl=$(printf '\nx')
  nl=${nl%x}
  set -- $(df -Pi "$runs" 2>/dev/null | { read -r _; read -r _ all _ free _; say "$all $free"; })
  case ${1:-0}${2:-0} in
    *[!0-9]*) ;;
    *) [ "${1:-0}" -eq 0 ] || [ "$2" -ge 100 ] || say "cannot inodes $2 left" ;;
  esac
  free=$(free_kb "$runs")
  case $free in
    -) cannot measure "$(df -Pk "$runs" 2>&1)" ;;
    # What fails then fails for want of room, and how little there is will be told.
    *) [ "$free" -ge 64 ] || return 0 ;;
  esac
  # A tool that is there may still not work.
  told=$(printf tried | sha256)
  [ "$told" = "$SHA256_OF_TRIED" ] || cannot hash "$told"
  try=$runs/.try.$$
  told=$(mkdir "$try" 2>&1) || { cannot make "$told"; return; }
  # In a shell of its own: one that cannot open a file ends at once.
  told=$(sh -c 'umask 077; echo tried > "$1/a" && cat "$1/a"' sh "$try" 2>&1)
  if [ "$told" != tried ]; then cannot write "$told"
  elif ! told=$(ln "$try/a" "$try/b" 2>&1); then cannot link "$told"
  elif ln "$try/a" "$try/b" 2>/dev/null; then cannot link-once
  elif ! told=$(mv "$try/a" "$try/c" 2>&1) || [ -f "$try/a" ]; then cannot rename "$told"
  else
    detach rehearsed "$try"
    waited=0
    until [ -s "$try/left" ] || [ "$waited" -ge 60 ]; do
      nap 0.05
      waited=$((waited + 1))
    done
    left=
    [ ! -s "$try/left" ] || read -r left < "$try/left"
    case $left in
      leads) ;;
      loose) cannot stop ;;
      *) cannot background ;;
    esac
  fi
  rm -rf "$try"
}

# find_program NAME: sets FOUND to the file that exec would take, or else to one of that name which
# cannot be executed; fails if there is none. Nothing is found of what a busybox has as no file.
find_program() {
  FOUND=$1
  case $1 in */*) return ;; esac
  FOUND=
  rest=$PATH:
  while [ -n "$rest" ]; do
    place=${rest%%:*}
    rest=${rest#*:}
    place=${place:-.}/$1
    [ -f "$place" ] || continue
    [ -x "$place" ] && { FOUND=$place; return; }
    FOUND=${FOUND:-$place}
  done
  [ -n "$FOUND" ] || {
    command -v "$1" >/dev/null 2>&1 && command -v busybox >/dev/null 2>&1 &&
      busybox "$1" --help >/dev/null 2>&1
  }
}

# may_run PROGRAM: whether exec would run it, as far as that can be told without trying; else says
# "why CODE ...".
may_run() {
  find_program "$1" || { say "why absent"; return 1; }
  [ -n "$FOUND" ] || return 0
  if [ ! -e "$FOUND" ]; then say "why absent"
  elif [ -d "$FOUND" ]; then say "why directory"
  elif [ ! -f "$FOUND" ]; then say "why special"
  elif forbids_exec "$FOUND"; then say "why noexec $MOUNTED"
  elif [ ! -x "$FOUND" ]; then
    case $(ls -ldL "$FOUND") in
      ???[xs]*|??????[xs]*|?????????[xt]*) say "why denied" ;;
      *) say "why mode" ;;
    esac
  else knows_format "$FOUND"; return
  fi
  return 1
}

# forbids_exec FILE: whether it lies where nothing may be executed; sets MOUNTED.
forbids_exec() {
  MOUNTED= mounted_with=
  real=$(readlink -f "$1" 2>/dev/null)
  while read -r _ at _ with _; do
    case $at in *\\*) at=$(printf %b "$at") ;; esac
    case ${real:-$1} in "${at%/}/"*) ;; *) continue ;; esac
    [ "${#at}" -ge "${#MOUNTED}" ] || continue
    MOUNTED=$at mounted_with=$with
  done 2>/dev/null < /proc/self/mounts
  case ,$mounted_with, in *,noexec,*) ;; *) return 1 ;; esac
} 2>/dev/null

# knows_format FILE: whether what begins the file is something that the host can execute. What is
# text without an interpreter is run by a shell.
knows_format() {
  first=$({ head -c 256 "$1" | head -n 1; } 2>/dev/null)
  case $first in
    "#!"*) has_interpreter "${first#??}" ;;
    "$(printf '\177')ELF"*) foreign_formats || { fits_machine "$1" && has_loader "$1"; } ;;
    MZ*) foreign_formats || { say "why format"; false; } ;;
  esac
} 2>/dev/null

# has_interpreter LINE: what stands after #! of a script.
has_interpreter() {
  set -- $1
  interpreter=$1 asked=${2:-}
  case $interpreter$asked in
    *"$(printf '\r')") say "why return"; return 1 ;;
  esac
  if [ ! -f "$interpreter" ] || [ ! -x "$interpreter" ]; then
    say "why interpreter $interpreter"
    return 1
  fi
  case $interpreter:$asked in
    */env:|*/env:-*|*/env:*=*) ;;
    */env:*) find_program "$asked" || { say "why interpreter $asked"; return 1; } ;;
  esac
}

# foreign_formats: whether the host was told how to run what is not its own.
foreign_formats() {
  set +f; set -- /proc/sys/fs/binfmt_misc/*; set -f
  for entry; do
    case $entry in */register|*/status|*/"*") ;; *) return 0 ;; esac
  done
  return 1
}

# machine_of FILE: the kind of processor in the header of an ELF file.
machine_of() {
  set -- $(head -c 20 "$1" 2>/dev/null | od -An -tu1 2>/dev/null)
  [ $# -eq 20 ] || return 1
  # Two bytes, the lower one first or last.
  if [ "$6" = 1 ]; then printf %s $((${19} + 256 * ${20}))
  else printf %s $((${20} + 256 * ${19}))
  fi
}

# fits_machine FILE: whether it is for this processor: of the kind that the shell is for, or of one
# that such processors run too.
fits_machine() {
  theirs=$(machine_of "$1") && ours=$(machine_of "/proc/$$/exe") || return 0
  [ "$ours" != "$theirs" ] || return 0
  case $ours:$theirs in
    62:3|3:62|183:40|40:183|21:20|20:21|43:2|43:18|2:43) return 0 ;;
  esac
  say "why machine $theirs $ours"
  return 1
}

# has_loader FILE: whether what loads its libraries is there: an ELF file of another libc names one
# that is not, and the kernel says then that the program itself is not there.
has_loader() {
  loader=$(head -c 4096 "$1" | tr -c '[:print:]' '\n' | grep -m 1 '^/[^ ]*/ld[^ /]*\.so[.0-9]*$')
  [ -z "$loader" ] || [ -e "$loader" ] || { say "why loader $loader"; return 1; }
} 2>/dev/null

look() {
  read -r program && read -r thorough || return
  [ "$thorough" != rehearse ] || rehearse
  case $program in "~/"*) program=$HOME/${program#"~/"} ;; esac
  if [ -n "$program" ] && ! may_run "$program"; then
    say "state missing"
    return
  fi
  say "state ok"
  say "time $(now_ms)"
  say "disk $(free_kb "$runs")"
  if [ -r /proc/loadavg ]; then
    read -r load _ < /proc/loadavg
    say "load $load"
    read -r line < /proc/stat
    say "$line"
    while read -r name value _; do
      case $name in MemTotal:|MemAvailable:) say "$name $value" ;; esac
    done < /proc/meminfo
  else
    set -- $(sysctl -n vm.loadavg 2>/dev/null)
    say "load ${2:-}"
  fi
}

# tail_log: the bytes of a file from an offset on, as numbered chunks; ends by itself after a while.
tail_log() {
  read -r path && read -r inode && read -r offset && read -r seconds || return
  case $path in "~/"*) path=$HOME/${path#"~/"} ;; esac
  left=$((seconds * 10))
  quiet=0
  say "state tailing"
  while [ "$left" -gt 0 ]; do
    sight
    if [ "$here" = none ]; then
      # A file that is only being moved away comes back as another: what we knew stays known.
      if [ "$inode" = new ]; then inode=none; say missing; fi
      size=$offset
    else
      if [ "$inode" = new ]; then
        offset=$size
        say "at $here $offset"
      elif [ "$inode" != "$here" ]; then
        [ "$inode" = none ] || finish_rotated
        offset=0
        say "at $here 0"
      elif [ "$size" -lt "$offset" ]; then
        say truncated
        offset=0
        say "at $here 0"
      fi
      inode=$here
    fi
    if [ "$size" -gt "$offset" ]; then
      chunk "$path" "$inode"
      left=$((left - 1))
      quiet=0
    else
      nap 1
      left=$((left - 10))
      quiet=$((quiet + 1))
      [ $((quiet % 10)) -ne 0 ] || say beat
    fi
  done
}

inode_of() { set -- $(ls -diL "$1" 2>/dev/null); printf %s "${1:-none}"; }

# sight: sets here and size, of one and the same file. What is no file is passed over: a pipe makes
# its reader wait for ever, a device never ends.
sight() {
  here=none size=0
  [ -f "$path" ] && [ -r "$path" ] || return
  set -- $(ls -dilnL "$path" 2>/dev/null)
  here=${1:-none} size=${6:-0}
}

# from_offset: descriptor 3 from the offset on. Some tails read all that stands before it, and fail
# after 2 GiB; dd goes there at once.
from_offset() {
  if command -v dd >/dev/null 2>&1 && dd bs=1 skip="$offset" count=0 <&3 >/dev/null 2>&1; then cat <&3
  else tail -c "+$((offset + 1))" <&3
  fi
}

# chunk FILE INODE: the next bytes of that very file, or none if another has its name now.
chunk() {
  {
    [ "$(inode_of "$1")" = "$2" ] || return 1
    length=$((size - offset))
    [ "$length" -le 262144 ] || length=262144
    say "blob log $length"
    # As long as it was said to be, also where the file is cut meanwhile.
    { from_offset | head -c "$length"; head -c "$length" /dev/zero; } 2>/dev/null | head -c "$length"
    say
    offset=$((offset + length))
  } 3< "$1"
}

# finish_rotated: what was written to the old file after we looked, if it is now called PATH.1.
finish_rotated() {
  if [ "$(inode_of "$path.1")" != "$inode" ]; then say rotated; return; fi
  whole=$size
  size=$(size_of "$path.1")
  while [ "$size" -gt "$offset" ] && chunk "$path.1" "$inode"; do :; done
  size=$whole
}

usable_id() { case $id in ''|.*|-*|*[!0-9A-Za-z._-]*) return 1 ;; esac; }

# is_as_old: whether the directory began before the run was planned, by the clock of this host. One
# of before this does not say when it began; what no clock tells is taken for younger.
is_as_old() {
  [ "$age" -gt 0 ] && [ -n "$founded" ] || return 0
  now=$(now_ms)
  case $founded$now in *[!0-9]*) return 1 ;; esac
  [ "$((now - founded))" -ge "$age" ]
}

# is_of_then: whether these are the runs among which the run was planned, as its engine was told when
# they were founded.
is_of_then() {
  [ "$beginning" -le "$planned" ] || return 1
  [ "${founding:-0}" = 0 ] || [ -z "$founded" ] || [ "$founding" = "$founded" ]
}

# begin: when this beginning of the directory was, for all who meet it at the same moment. Many a
# question may be the first, and they must not hear of different beginnings.
begin() {
  founded=$(now_ms)
  [ "$founded" != - ] || founded=
  mark=$runs/began.$beginning
  {
    say "$founded" > "$mark.$$" && ln "$mark.$$" "$mark"
    rm -f "$mark.$$"
    read -r founded < "$mark"
  } 2>/dev/null
}

# current: whether no newer engine has used these runs; a newer epoch is remembered. It also finds
# out whether runs of the asking engine that were here may be gone.
current() {
  held=0 beginning=0 founded=
  [ ! -f "$runs/epoch" ] || read -r held beginning founded < "$runs/epoch"
  case $held$beginning in *[!0-9]*) held=0 beginning=0 ;; esac
  held=${held:-0} beginning=${beginning:-0}
  if [ "$held" -gt "$epoch" ]; then say "state stale $held"; return 1; fi
  case $founded in *[!0-9]*) founded= ;; esac
  known="$held $beginning"
  if [ "$held" -lt "$least" ]; then beginning=$next; begin
  elif [ "$held" -eq 0 ]; then beginning=$((next - 1)); begin
  fi
  if [ "$known" = "$epoch $beginning" ] || {
    say "$epoch $beginning${founded:+ $founded}" > "$runs/epoch.$$" &&
      mv "$runs/epoch.$$" "$runs/epoch"
  } 2>/dev/null
  then say "epoch $epoch $beginning${founded:+ $founded}"
  else rm -f "$runs/epoch.$$"
  fi
  is_of_then && is_as_old || tomb=lost
  return 0
}

serve() {
  given=
  # A line without its end was cut on the way, and so was what it says.
  read -r verb && read -r runs && read -r id && read -r epoch && read -r tomb &&
    read -r text_bytes least planned next age founding || return
  case $verb in
    look|start|probe|linger|cancel|collect|kept|tail) ;;
    *)
      # A shell that got our lines as its own input. Nothing of what follows is what it seems, and
      # it would go on with the task's text as commands.
      say "a program of the host's own runs in place of the command that was sent" >&2
      exit 1 ;;
  esac
  say "fleet-protocol: 1"
  case $runs in "~/"*) runs=$HOME/${runs#"~/"} ;; esac
  # Where a shell begins may have been deleted; then its tools complain.
  case $verb$runs in tail*) ;; */*) [ "${runs#/}" = "$runs" ] || cd / ;; esac
  boot_id
  say "boot $boot"
  if [ "$verb" = tail ]; then tail_log; say end; return; fi
  [ "$verb" != look ] || missing_tools
  made=$(mkdir -p "$runs" 2>&1)
  run=$runs/$id
  if [ ! -d "$runs" ] || [ ! -w "$runs" ] || [ ! -x "$runs" ]; then
    if [ "$verb" = look ]; then
      [ -n "$made" ] || made=$(mkdir "$runs/.try.$$" 2>&1)
      say "cannot use $(printf %.200s "$made")"
    fi
    say "state refused no-run-dir"
  elif ! current; then :
  elif [ "$verb" = look ]; then look
  elif [ "$verb" = collect ]; then collect
  elif [ "$verb" = kept ]; then kept
  elif ! usable_id; then say "state refused bad-id"
  else
    case $verb in
      start) start ;;
      probe) probe ;;
      linger) linger ;;
      cancel) cancel ;;
    esac
  fi
  say end
}

case ${1:-} in
  child) child "$2" ;;
  rehearsed) if leads; then say leads; else say loose; fi > "$2/left" ;;
  *) serve ;;
esac
# Whatever takes our lines for its own input reads no further: what follows is a task's text.
exit
